package web

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	before := openFiles()
	code := m.Run()
	browser.stop()
	if err := goleak.Find(); err != nil {
		fmt.Fprintln(os.Stderr, "goroutines left over:", err)
		code = 1
	}
	if after := openFiles(); after > before {
		fmt.Fprintf(os.Stderr, "descriptors left over: %d before, %d after\n", before, after)
		code = 1
	}
	os.Exit(code)
}

// openFiles counts this process's descriptors, 0 where /proc does not tell.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(entries)
}
