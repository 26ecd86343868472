package shard

import (
	"fmt"
	"nebula/frame"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		if n := frame.Live(); n != 0 {
			fmt.Fprintf(os.Stderr, "%d Bufs left over\n", n)
			code = 1
		}
	}
	os.Exit(code)
}
