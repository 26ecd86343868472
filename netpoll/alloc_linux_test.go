//go:build !race

package netpoll

import (
	"io"
	"testing"
)

func TestAlloc_SendAndRead(t *testing.T) {
	answer := text("pong")
	w := watch()
	w.data = func(c Conn, in []byte) int {
		if in[len(in)-1] != '.' {
			return 0 // kept, and offered again with the rest
		}
		c.Send(answer)
		return len(in)
	}
	e := suite{listen: Listen}.start(t, w, Config{})
	c, nc := w.pair(t, e)
	buf := make([]byte, 4)
	first, rest := []byte("pi"), []byte("ng.")
	read := func() {
		if _, err := io.ReadFull(nc, buf); err != nil {
			t.Fatal(err)
		}
	}
	if got := testing.AllocsPerRun(1000, func() {
		c.Send(answer)
		read()
	}); got != 0 {
		t.Errorf("Send: %v allocations, want 0", got)
	}
	if got := testing.AllocsPerRun(1000, func() {
		_, _ = nc.Write(first)
		_, _ = nc.Write(rest)
		read()
	}); got != 0 {
		t.Errorf("a read: %v allocations, want 0", got)
	}
}
