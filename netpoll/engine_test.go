package netpoll

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait; no test measures time with it.
const patience = 10 * time.Second

func TestMain(m *testing.M) {
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

func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(entries)
}

// blob is a Payload that counts its references.
type blob struct {
	b    []byte
	refs atomic.Int64
}

func (p *blob) Bytes() []byte { return p.b }
func (p *blob) Retain(n int)  { p.refs.Add(int64(n)) }
func (p *blob) Release()      { p.refs.Add(-1) }

// funcs is a Handler of functions; one left nil does nothing.
type funcs struct {
	open    func(Conn)
	data    func(Conn, []byte) int
	timeout func(Conn)
	closed  func(Conn, Reason)
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

func (f *funcs) EndBatch() {}

func listen(t *testing.T, h Handler, cfg Config) Engine {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	cfg.Handler = func(int) Handler { return h }
	e, err := Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Error(err)
		}
		if s := e.Stats(); s.Connections != 0 || s.QueuedBytes != 0 {
			t.Errorf("after Close: %d connections, %d bytes queued", s.Connections, s.QueuedBytes)
		}
	})
	return e
}

func dial(t *testing.T, e Engine) *net.TCPConn {
	t.Helper()
	nc, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	if err := nc.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return nc.(*net.TCPConn)
}

func want(t *testing.T, r io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != text {
		t.Fatalf("got %q (%v), want %q", got[:n], err, text)
	}
}

// lines echoes every complete line in a send of its own.
func lines(c Conn, in []byte) int {
	n := 0
	for {
		i := bytes.IndexByte(in[n:], '\n')
		if i < 0 {
			return n
		}
		c.Send(&blob{b: bytes.Clone(in[n : n+i+1])})
		n += i + 1
	}
}

func TestEngine_OneByteAtATime(t *testing.T) {
	for _, loops := range []int{1, 2} {
		e := listen(t, &funcs{data: lines}, Config{Loops: loops})
		for range 4 {
			nc := dial(t, e)
			for _, b := range []byte("slowly\nand ") {
				if _, err := nc.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			want(t, nc, "slowly\n")
			_, _ = io.WriteString(nc, "on\n")
			want(t, nc, "and on\n")
		}
	}
}

func TestEngine_TakenPortIsRefused(t *testing.T) {
	e := listen(t, &funcs{}, Config{})
	_, err := Listen(Config{Addr: e.Addr().String(), Handler: func(int) Handler { return &funcs{} }})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want address in use", err)
	}
}

func TestEngine_FullIsTold(t *testing.T) {
	e := listen(t, &funcs{data: lines}, Config{MaxConns: 1, RejectFull: []byte("full")})
	first := dial(t, e)
	_, _ = io.WriteString(first, "in\n")
	want(t, first, "in\n")
	want(t, dial(t, e), "full")
	if got := e.Stats().RejectedFull; got != 1 {
		t.Fatalf("rejected %d, want 1", got)
	}
}

func TestConn_ManySendersKeepPayloadsWhole(t *testing.T) {
	const senders, each = 8, 50
	opened := make(chan Conn, 1)
	e := listen(t, &funcs{open: func(c Conn) { opened <- c }}, Config{SendBytes: 64 << 20})
	nc := dial(t, e)
	c := <-opened
	var all sync.WaitGroup
	for s := range senders {
		all.Go(func() {
			for range each {
				c.Send(&blob{b: bytes.Repeat([]byte{byte('a' + s)}, 10_000)})
			}
		})
	}
	got := make([]byte, 10_000)
	for range senders * each {
		if _, err := io.ReadFull(nc, got); err != nil {
			t.Fatal(err)
		}
		if bytes.Count(got, got[:1]) != len(got) {
			t.Fatal("payloads were mixed")
		}
	}
	all.Wait()
}

func TestConn_SlowGetsItsFrameAndTheClose(t *testing.T) {
	const frame = 1000
	opened := make(chan Conn, 1)
	closed := make(chan Reason, 1)
	e := listen(t, &funcs{
		open:   func(c Conn) { opened <- c },
		closed: func(_ Conn, why Reason) { closed <- why },
	}, Config{SendBytes: 100_000, SlowClose: []byte("SLOW"), FrameEnd: func(_ []byte, off int) int {
		return (off + frame - 1) / frame * frame
	}})
	nc := dial(t, e)
	c := <-opened
	p := &blob{b: bytes.Repeat([]byte("x"), 30*frame)}
	for c.Send(p) {
	}
	rest, err := io.ReadAll(nc)
	if err != nil {
		t.Fatal(err)
	}
	body, isSlow := bytes.CutSuffix(rest, []byte("SLOW"))
	if !isSlow || len(body)%frame != 0 || len(body) == 0 {
		t.Fatalf("got %d bytes, ends with SlowClose: %v, want whole frames and it", len(body), isSlow)
	}
	nc.Close()
	if why := <-closed; why != ReasonSlow {
		t.Fatalf("closed for %v", why)
	}
	if refs := p.refs.Load(); refs != 0 {
		t.Fatalf("%d references left", refs)
	}
	if got := e.Stats().SlowConsumers; got != 1 {
		t.Fatalf("%d slow consumers, want 1", got)
	}
}

func TestConn_FinishFlushesThenCloses(t *testing.T) {
	closed := make(chan Reason, 1)
	e := listen(t, &funcs{
		data: func(c Conn, in []byte) int {
			c.Send(&blob{b: bytes.Repeat([]byte("y"), 3<<20)})
			c.Finish(&blob{b: []byte("bye")}, ReasonRestart)
			return len(in)
		},
		closed: func(_ Conn, why Reason) { closed <- why },
	}, Config{SendBytes: 16 << 20})
	nc := dial(t, e)
	_, _ = io.WriteString(nc, "go")
	all, err := io.ReadAll(nc)
	if err != nil || len(all) != 3<<20+3 || !bytes.HasSuffix(all, []byte("bye")) {
		t.Fatalf("got %d bytes, %v", len(all), err)
	}
	nc.Close()
	if why := <-closed; why != ReasonRestart {
		t.Fatalf("closed for %v", why)
	}
}

func TestConn_DeadlineFiresOnceAndAgain(t *testing.T) {
	fired := make(chan struct{}, 8)
	e := listen(t, &funcs{
		open:    func(c Conn) { c.SetDeadline(time.Hour); c.SetDeadline(time.Millisecond) },
		timeout: func(Conn) { fired <- struct{}{} },
		data:    func(c Conn, in []byte) int { c.SetDeadline(time.Millisecond); return len(in) },
	}, Config{})
	nc := dial(t, e)
	<-fired
	_, _ = io.WriteString(nc, "again")
	<-fired
}

func TestConn_DetachAndAdopt(t *testing.T) {
	detached := make(chan net.Conn, 1)
	e := listen(t, &funcs{data: func(c Conn, in []byte) int {
		if bytes.HasPrefix(in, []byte("plain")) {
			nc, err := c.Detach(bytes.Clone(in))
			if err != nil {
				t.Error(err)
			}
			detached <- nc
			return len(in)
		}
		return lines(c, in)
	}}, Config{})
	nc := dial(t, e)
	_, _ = io.WriteString(nc, "plain and more")
	left := <-detached
	want(t, left, "plain and more")
	_, _ = io.WriteString(left, "answer")
	want(t, nc, "answer")
	if err := e.Adopt(left, []byte("back\nho")); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(nc, "me\n")
	want(t, nc, "back\nhome\n")
	if got := e.Stats().Connections; got != 1 {
		t.Fatalf("%d connections, want 1", got)
	}
}

func TestWheel_WaitFindsTheNextSlot(t *testing.T) {
	var w wheel
	w.advance(100, nil)
	if got := w.wait(); got != -1 {
		t.Fatalf("empty wheel waits %d, want -1", got)
	}
	c := &conn{}
	for _, in := range []int64{1, 2, 63, 64, 65, 411, 412, 413, 511, 512} {
		w.add(c, time.Duration(in)*tick)
		if got := w.wait(); got != in {
			t.Errorf("deadline in %d ticks: waits %d", in, got)
		}
		w.remove(c)
	}
}
