package netpoll

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

const frameSize = 1000

// frames is a Config for payloads of whole frames of frameSize.
func frames(cfg Config) Config {
	cfg.FrameEnd = func(_ []byte, off int) int { return (off + frameSize - 1) / frameSize * frameSize }
	return cfg
}

// wantSlow reads all that came: whole frames, at least one if some, then SlowClose and the end.
func wantSlow(t *testing.T, r io.Reader, some bool, slowClose string) {
	t.Helper()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	body, isSlow := bytes.CutSuffix(all, []byte(slowClose))
	if !isSlow || len(body)%frameSize != 0 || some && len(body) == 0 {
		t.Fatalf("got %d bytes, ends with SlowClose: %v, want whole frames and it", len(body), isSlow)
	}
}

func (s suite) slow(t *testing.T) {
	for name, one := range map[string]struct {
		frames    int // of a payload
		slowClose string
	}{
		"OneFrame":      {1, "SLOW"},
		"ManyFrames":    {30, "SLOW"},
		"OverBySelf":    {300, "SLOW"},
		"NothingIsTold": {1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch()
			e := s.start(t, w, frames(Config{SendBytes: 100_000, SlowClose: []byte(one.slowClose)}))
			c, nc := w.pair(t, e)
			p := text(strings.Repeat("x", one.frames*frameSize))
			for c.Send(p) {
			}
			if got := e.Stats().SlowConsumers; got != 1 {
				t.Fatalf("%d slow consumers, want 1", got)
			}
			rest := func() bool { return e.Stats().QueuedBytes <= int64(len(p.b)+len(one.slowClose)) }
			if !s.later && !rest() {
				t.Fatalf("%d bytes queued, want the rest of a frame", e.Stats().QueuedBytes)
			}
			until(t, "only the rest of a frame waits", rest)
			wantSlow(t, nc, !s.later, one.slowClose)
			nc.Close()
			w.closed(t, ReasonSlow)
			p.released(t)
			if got := e.Stats().QueuedBytes; got != 0 {
				t.Fatalf("%d bytes queued, want 0", got)
			}
		})
	}
}

// slowAtOnce sends more at once than is allowed to wait.
func (s suite) slowAtOnce(t *testing.T) {
	w := watch()
	e := s.start(t, w, frames(Config{SendBytes: 100_000, SlowClose: []byte("SLOW")}))
	c, nc := w.pair(t, e)
	p := text(strings.Repeat("x", 32<<20/frameSize*frameSize))
	if c.Send(p) {
		t.Error("the send that ended the connection was taken")
	}
	if c.Send(p) {
		t.Error("a send after it was taken")
	}
	wantSlow(t, nc, !s.later, "SLOW")
	nc.Close()
	w.closed(t, ReasonSlow)
	p.released(t)
}

// slowTotal fills the total with many connections that are each within their limit.
func (s suite) slowTotal(t *testing.T) {
	const total = 3 << 20
	w := watch()
	e := s.start(t, w, frames(Config{SendBytes: 1 << 20, SendBytesTotal: total, SlowClose: []byte("SLOW")}))
	p := text(strings.Repeat("x", 10*frameSize))
	refused := 0
	for range 10 {
		c, _ := w.pair(t, e)
		for range 1000 {
			if !c.Send(p) {
				refused++
				break
			}
			if e.Stats().QueuedBytes > total {
				t.Fatalf("%d bytes queued, want at most %d", e.Stats().QueuedBytes, total)
			}
		}
	}
	if refused == 0 || e.Stats().SlowConsumers == 0 {
		t.Fatal("nobody was over a limit")
	}
	stop(t, e)
	p.released(t)
}
