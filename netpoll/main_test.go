package netpoll

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait; no test measures time with it.
const patience = 20 * time.Second

// childEnv names the child that this process is to be instead of a test run.
const childEnv = "NEBULA_NETPOLL_CHILD"

// children are what tests start in processes of their own.
var children = map[string]func(){"few files": serveFewFiles, "few files with evio": serveFewFilesWithEvio}

func TestMain(m *testing.M) {
	if child := children[os.Getenv(childEnv)]; child != nil {
		child()
		return
	}
	before := descriptors()
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		if after := descriptors(); after > before+2 { // Go's own poller opens two at first use
			fmt.Fprintf(os.Stderr, "%d descriptors left over\n", after-before)
			code = 1
		}
	}
	os.Exit(code)
}

// descriptors counts the open files; /dev/fd is there on Linux and on macOS.
func descriptors() int {
	entries, err := os.ReadDir("/dev/fd/")
	if err != nil {
		panic(err)
	}
	return len(entries)
}

// until waits for something that other goroutines bring about.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// await waits for a value from ch.
func await[T any](t testing.TB, what string, ch <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(patience):
		t.Fatalf("still waiting for: %s", what)
	}
	return v
}

// blob is a Payload that counts its references.
type blob struct {
	b    []byte
	refs atomic.Int64
}

func text(s string) *blob { return &blob{b: []byte(s)} }

func (p *blob) Bytes() []byte { return p.b }
func (p *blob) Retain(n int)  { p.refs.Add(int64(n)) }
func (p *blob) Release()      { p.refs.Add(-1) }

// released fails if somebody holds p.
func (p *blob) released(t testing.TB) {
	t.Helper()
	if refs := p.refs.Load(); refs != 0 {
		t.Errorf("%d references left, want 0", refs)
	}
}

// funcs is a Handler of functions; one left nil does nothing.
type funcs struct {
	open    func(Conn)
	data    func(Conn, []byte) int
	timeout func(Conn)
	closed  func(Conn, Reason)
	batch   func()
}

func (f *funcs) Open(c Conn) {
	if f.open != nil {
		f.open(c)
	}
}

func (f *funcs) Data(c Conn, in []byte) int {
	if f.data != nil {
		return f.data(c, in)
	}
	return len(in)
}

func (f *funcs) Timeout(c Conn) {
	if f.timeout != nil {
		f.timeout(c)
	}
}

func (f *funcs) Closed(c Conn, why Reason) {
	if f.closed != nil {
		f.closed(c, why)
	}
}

func (f *funcs) EndBatch() {
	if f.batch != nil {
		f.batch()
	}
}
