package bus

import (
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // so that the runtime's own descriptors are open
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	l.Close()
	before := openFiles()
	code := m.Run()
	err = goleak.Find()
	for wait := 0; err != nil && wait < 100; wait++ { // rueidis has one that sleeps for up to 1 s
		time.Sleep(100 * time.Millisecond)
		err = goleak.Find()
	}
	if err != nil {
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
