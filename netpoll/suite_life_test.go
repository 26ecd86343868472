package netpoll

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func (s suite) detachAndAdopt(t *testing.T) {
	for _, loops := range []int{1, 2, 4} {
		detached := make(chan net.Conn, 1)
		e := s.start(t, &funcs{data: func(c Conn, in []byte) int {
			if bytes.HasPrefix(in, []byte("plain")) {
				nc, err := c.Detach(bytes.Clone(in))
				if err != nil {
					t.Error(err)
				}
				detached <- nc
				return 0 // nobody is there to have the rest again
			}
			return lines(c, in)
		}}, Config{Loops: loops})
		nc := dial(t, e)
		for range 5 {
			say(t, nc, "plain and more")
			left := await(t, "Detach", detached)
			want(t, left, "plain and more")
			say(t, left, "answer")
			want(t, nc, "answer")
			if got := e.Stats().Connections; got != 1 {
				t.Fatalf("%d connections, want 1", got)
			}
			if err := e.Adopt(left, []byte("back\nho")); err != nil {
				t.Fatal(err)
			}
			say(t, nc, "me\n")
			want(t, nc, "back\nhome\n")
			if got := e.Stats().Connections; got != 1 {
				t.Fatalf("%d connections, want 1", got)
			}
		}
	}
}

// detachedReads reads a detached connection in the ways that package io knows.
func (s suite) detachedReads(t *testing.T) {
	detached := make(chan net.Conn, 1)
	e := s.start(t, &funcs{data: func(c Conn, in []byte) int {
		nc, err := c.Detach(bytes.Clone(in))
		if err != nil {
			t.Error(err)
		}
		detached <- nc
		return len(in)
	}}, Config{})
	for name, read := range map[string]func(net.Conn) string{
		"Read": func(nc net.Conn) string { b, _ := io.ReadAll(nc); return string(b) },
		"Copy": func(nc net.Conn) string { var b strings.Builder; _, _ = io.Copy(&b, nc); return b.String() },
		"ReadThenCopy": func(nc net.Conn) string {
			var b strings.Builder
			_, _ = io.CopyN(&b, struct{ io.Reader }{nc}, 2)
			_, _ = io.Copy(&b, nc)
			return b.String()
		},
	} {
		nc := dial(t, e)
		say(t, nc, "head ")
		left := await(t, "Detach", detached)
		say(t, nc, "and body")
		_ = nc.CloseWrite()
		if got := read(left); got != "head and body" {
			t.Errorf("%s: got %q", name, got)
		}
		if err := left.Close(); err != nil {
			t.Error(err)
		}
		_ = left.Close() // gives its place back once only
		if got := e.Stats().Connections; got != 0 {
			t.Fatalf("%d connections, want 0", got)
		}
	}

	nc := dial(t, e) // what was not read before Adopt is not lost either
	say(t, nc, "one ")
	if err := e.Adopt(await(t, "Detach", detached), []byte("zero ")); err != nil {
		t.Fatal(err)
	}
	left := await(t, "Detach", detached)
	want(t, left, "zero one ")
	left.Close()
}

func (s suite) detachRefused(t *testing.T) {
	results := make(chan error, 3)
	w := watch()
	w.data = func(c Conn, in []byte) int {
		switch in[0] {
		case 'q': // something waits
			c.Send(text(strings.Repeat("x", 8<<20)))
		case 'c':
			c.Close(ReasonPolicy)
		case 'f':
			c.Finish(nil, ReasonPolicy)
		}
		_, err := c.Detach(nil)
		results <- err
		return len(in)
	}
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	for _, how := range []string{"q", "c", "f"} {
		_, nc := w.pair(t, e)
		say(t, nc, how)
		if err := await(t, "Detach", results); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: got %v, want %v", how, err, ErrClosed)
		}
		nc.Close()
		await(t, "Closed", w.ended)
	}
}

func (s suite) adoptAfterClose(t *testing.T) {
	detached := make(chan net.Conn, 1)
	e := s.start(t, &funcs{data: func(c Conn, in []byte) int {
		nc, err := c.Detach(nil)
		if err != nil {
			t.Error(err)
		}
		detached <- nc
		return len(in)
	}}, Config{})
	nc := dial(t, e)
	say(t, nc, "x")
	left := await(t, "Detach", detached)
	defer left.Close()
	if err := e.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := e.Stats().Connections; got != 1 {
		t.Fatalf("%d connections, want the detached one", got)
	}
	if err := e.Adopt(left, nil); !errors.Is(err, ErrClosed) {
		t.Fatalf("got %v, want %v", err, ErrClosed)
	}
	say(t, left, "still ours")
	want(t, nc, "still ours")
	left.Close()
	if err := e.Adopt(struct{ net.Conn }{left}, nil); err == nil {
		t.Fatal("adopted what has no descriptor")
	}
}

// churn opens and closes thousands of connections in all ways, while others send to
// all that ever were: to a descriptor's number that has a new owner, too.
func (s suite) churn(t *testing.T) {
	const workers, each = 8, 100
	for _, loops := range []int{1, 2, 4} {
		w := watch()
		var mu sync.Mutex
		var known [64]Conn
		next := 0
		w.open = func(c Conn) {
			mu.Lock()
			known[next%len(known)] = c
			next++
			mu.Unlock()
		}
		e := s.start(t, w, Config{Loops: loops})
		var over atomic.Bool
		var senders, clients sync.WaitGroup
		p := text("noise\n")
		for range 2 {
			senders.Go(func() {
				for !over.Load() {
					mu.Lock()
					conns := known
					mu.Unlock()
					for _, c := range conns {
						if c != nil {
							c.Send(p)
						}
					}
					runtime.Gosched() // with one P they would have it all
				}
			})
		}
		for id := range workers {
			clients.Go(func() {
				for i := range each {
					churnOne(t, e, id*each+i)
				}
			})
		}
		clients.Wait()
		over.Store(true)
		senders.Wait()
		for range workers * each {
			await(t, "Closed", w.ended)
		}
		p.released(t)
		if got := e.Stats(); got.Connections != 0 || got.QueuedBytes != 0 || got.Accepted != workers*each {
			t.Fatalf("loops %d: %+v, want nothing left of %d", loops, got, workers*each)
		}
	}
}

// churnOne is one client: it hears the line that it says among the noise, whole.
func churnOne(t *testing.T, e Engine, i int) {
	nc, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		t.Error(err)
		return
	}
	tcp := nc.(*net.TCPConn)
	defer nc.Close()
	if i%5 == 0 { // without a word
		return
	}
	line := strings.Repeat("y", i%100) + "\n"
	_, _ = io.WriteString(nc, line)
	var heard []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(heard, []byte(line)) {
		n, err := nc.Read(buf)
		if err != nil {
			t.Errorf("client %d: %v after %d bytes", i, err, len(heard))
			return
		}
		heard = append(heard, buf[:n]...)
	}
	if rest := bytes.ReplaceAll(heard, []byte("noise\n"), nil); len(bytes.Trim(rest, "noise\n")) != i%100 {
		t.Errorf("client %d heard %q", i, rest)
	}
	switch i % 5 {
	case 1:
		_ = tcp.SetLinger(0)
	case 2:
		_ = tcp.CloseWrite()
	case 3:
		_, _ = io.WriteString(nc, "no line")
	}
}

// closeDrops closes an engine whose connections have output waiting.
func (s suite) closeDrops(t *testing.T) {
	w := watch()
	batches := 0 // on the loop goroutine, then here: Close is between
	w.batch = func() {
		if len(w.ended) == 3 {
			batches++
		}
	}
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	p := text(strings.Repeat("x", 8<<20))
	var last Conn
	for range 3 {
		last, _ = w.pair(t, e)
		last.Send(p)
	}
	last.Finish(nil, ReasonRestart)
	stop(t, e)
	p.released(t)
	if batches == 0 {
		t.Error("no EndBatch after the last Closed")
	}
	for range 3 {
		if got := await(t, "Closed", w.ended); got.c == last && got.why != ReasonRestart || got.c != last && got.why != ReasonShutdown {
			t.Errorf("closed for %v", got.why)
		}
	}
	if _, err := net.Dial("tcp", e.Addr().String()); err == nil {
		t.Error("the port still answers")
	}
}

// closeMeetsDoomed closes an engine while its connections are ended from elsewhere,
// while others are accepted, and while some are adopted.
func (s suite) closeMeetsDoomed(t *testing.T) {
	for round := range 30 {
		w := watch()
		e := s.start(t, w, Config{Loops: 1 + round%3})
		var conns []Conn
		for range 20 {
			c, _ := w.pair(t, e)
			conns = append(conns, c)
		}
		p := text("x")
		var all sync.WaitGroup
		all.Go(func() {
			for i, c := range conns {
				c.Send(p)
				switch i % 3 {
				case 0:
					c.Close(ReasonPolicy)
				case 1:
					c.Finish(p, ReasonPolicy)
				}
			}
		})
		all.Go(func() {
			for range 20 {
				if nc, err := net.Dial("tcp", e.Addr().String()); err == nil {
					nc.Close()
				}
			}
		})
		all.Go(func() { e.Each(func(c Conn) { c.Send(p) }) })
		stop(t, e)
		all.Wait()
		stop(t, e) // again, after all
		p.released(t)
		accepted, closed := e.Stats().Accepted, uint64(0)
		for _, n := range e.Stats().Closed {
			closed += n
		}
		if accepted != closed || uint64(len(w.ended)) > closed {
			t.Fatalf("accepted %d, closed %d, told %d", accepted, closed, len(w.ended))
		}
	}
}
