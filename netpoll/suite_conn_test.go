package netpoll

import (
	"bytes"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

func (s suite) manySenders(t *testing.T) {
	const senders, each = 8, 50
	w := watch()
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	c, nc := w.pair(t, e)
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

// queueKeepsOrder sends payloads of all sizes, empty ones too, to a peer that reads
// only afterwards.
func (s suite) queueKeepsOrder(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	c, nc := w.pair(t, e)
	var sent []byte
	var payloads []*blob
	for i := 0; e.Stats().QueuedBytes < 4<<20; i++ {
		b := bytes.Repeat([]byte{byte(i)}, i*i%50_001)
		p := &blob{b: b}
		if !c.Send(p) {
			t.Fatal("refused")
		}
		sent, payloads = append(sent, b...), append(payloads, p)
	}
	for range 200 { // more than one call takes
		p := text("small")
		c.Send(p)
		sent, payloads = append(sent, p.b...), append(payloads, p)
	}
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(nc, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("what came is not what was sent (%v)", err)
	}
	until(t, "nothing waits", func() bool { return e.Stats().QueuedBytes == 0 })
	for _, p := range payloads {
		until(t, "nobody holds it", func() bool { return p.refs.Load() == 0 })
	}
	say(t, nc, "and on\n")
	want(t, nc, "and on\n")
}

func (s suite) sendAfterClose(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{})
	p := text("never")

	c, nc := w.pair(t, e)
	c.Close(ReasonPolicy)
	c.Close(ReasonError) // the first counts
	if c.Send(p) {
		t.Error("Send after Close was taken")
	}
	c.Finish(p, ReasonError)
	w.closed(t, ReasonPolicy)
	wantEnd(t, nc)

	c, nc = w.pair(t, e)
	c.Finish(nil, ReasonRestart)
	if c.Send(p) {
		t.Error("Send after Finish was taken")
	}
	wantEnd(t, nc)
	nc.Close()
	w.closed(t, ReasonRestart)
	if c.Send(p) {
		t.Error("Send after Closed was taken")
	}
	p.released(t)
}

// closeDuringSend has a connection end in all ways while others send to it.
func (s suite) closeDuringSend(t *testing.T) {
	for name, end := range map[string]func(Conn, *net.TCPConn){
		"Close":  func(c Conn, _ *net.TCPConn) { c.Close(ReasonPolicy) },
		"Finish": func(c Conn, nc *net.TCPConn) { c.Finish(nil, ReasonPolicy); nc.Close() },
		"Peer":   func(_ Conn, nc *net.TCPConn) { nc.Close() },
		"Reset":  func(_ Conn, nc *net.TCPConn) { _ = nc.SetLinger(0); nc.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			w := watch()
			e := s.start(t, w, Config{Loops: 2, SendBytes: 4 << 20})
			p := text(strings.Repeat("x", 1000))
			for range 20 {
				c, nc := w.pair(t, e)
				var all sync.WaitGroup
				for range 4 {
					all.Go(func() {
						for c.Send(p) {
						}
					})
				}
				end(c, nc)
				all.Wait()
				await(t, "Closed", w.ended)
			}
			p.released(t)
			if got := e.Stats(); got.QueuedBytes != 0 || got.Connections != 0 {
				t.Errorf("%d bytes queued, %d connections, want 0", got.QueuedBytes, got.Connections)
			}
		})
	}
}

func (s suite) finishFlushes(t *testing.T) {
	w := watch()
	w.data = func(c Conn, in []byte) int {
		c.Send(&blob{b: bytes.Repeat([]byte("y"), 3<<20)})
		c.Finish(text("bye"), ReasonRestart)
		return len(in)
	}
	e := s.start(t, w, Config{SendBytes: 16 << 20})
	nc := dial(t, e)
	say(t, nc, "go")
	all, err := io.ReadAll(nc)
	if err != nil || len(all) != 3<<20+3 || !bytes.HasSuffix(all, []byte("bye")) {
		t.Fatalf("got %d bytes, %v", len(all), err)
	}
	nc.Close()
	w.closed(t, ReasonRestart)
}

// finishOverLimit ends a connection that has no room left: the last bytes are small
// and go all the same.
func (s suite) finishOverLimit(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{SendBytes: 4 << 20, SlowClose: []byte("SLOW")})
	c, nc := w.pair(t, e)
	p := text(strings.Repeat("x", 1000))
	sent := 0
	for e.Stats().QueuedBytes <= 4<<20-2000 {
		c.Send(p)
		sent += len(p.b)
	}
	last := text(strings.Repeat("z", 3000))
	c.Finish(last, ReasonRestart)
	all, err := io.ReadAll(nc)
	if err != nil || len(all) != sent+3000 || !bytes.HasSuffix(all, last.b) {
		t.Fatalf("got %d bytes (%v), want %d and the last ones", len(all), err, sent+3000)
	}
	nc.Close()
	w.closed(t, ReasonRestart)
	p.released(t)
	last.released(t)
	if got := e.Stats(); got.SlowConsumers != 0 || got.QueuedBytes != 0 {
		t.Errorf("%d slow consumers, %d bytes queued, want 0", got.SlowConsumers, got.QueuedBytes)
	}
}

func (s suite) finishTwice(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{})
	c, nc := w.pair(t, e)
	c.Finish(text("one"), ReasonPolicy)
	c.Finish(text("two"), ReasonRestart)
	if all, err := io.ReadAll(nc); err != nil || string(all) != "one" {
		t.Fatalf("got %q, %v, want the first", all, err)
	}
	say(t, nc, "not listened to\n") // and read, not left to make every wait return
	nc.Close()
	w.closed(t, ReasonPolicy)
}

// finishCuts finishes connections whose peers never close; one does not even read.
func (s suite) finishCuts(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{CutAfter: time.Millisecond, SendBytes: 64 << 20})
	quiet, _ := w.pair(t, e)
	quiet.Finish(text("bye"), ReasonRestart)
	w.closed(t, ReasonRestart)

	deaf, _ := w.pair(t, e)
	p := text(strings.Repeat("x", 1<<20))
	s.fill(e, deaf, p)
	deaf.Finish(nil, ReasonRestart)
	w.closed(t, ReasonRestart)

	deaf, _ = w.pair(t, e)
	s.fill(e, deaf, p)
	deaf.Close(ReasonPolicy)
	w.closed(t, ReasonPolicy)
	p.released(t)
}

// finishOutlivesDeadline finishes a connection whose own deadline is near: it is
// CutAfter that counts from then on.
func (s suite) finishOutlivesDeadline(t *testing.T) {
	w := watch()
	w.data = func(c Conn, in []byte) int {
		c.SetDeadline(time.Nanosecond)
		c.Finish(text("bye"), ReasonRestart)
		c.SetDeadline(time.Nanosecond)
		return len(in)
	}
	fired := make(chan Conn, 1)
	w.timeout = func(c Conn) { fired <- c }
	e := s.start(t, w, Config{CutAfter: time.Hour})
	_, nc := w.pair(t, e)
	say(t, nc, "go")
	want(t, nc, "bye")
	wantEnd(t, nc)
	// The deadline of one that comes later passes later.
	late, _ := w.pair(t, e)
	e.Each(func(c Conn) { c.SetDeadline(time.Nanosecond) })
	if c := await(t, "Timeout", fired); c != late {
		t.Fatal("Timeout of a connection that is finishing")
	}
	if len(w.ended) != 0 {
		t.Fatal("cut before CutAfter")
	}
	nc.Close()
	w.closed(t, ReasonRestart)
}

// halfClose has a peer end its direction while output waits: it gets all of it.
func (s suite) halfClose(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	c, nc := w.pair(t, e)
	p := text(strings.Repeat("x", 1<<20))
	sent := s.fill(e, c, p)
	if err := nc.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	one := text("y")
	if !s.later {
		until(t, "the end has been read", func() bool {
			if c.Send(one) {
				sent++
				return false
			}
			return true
		})
	}
	all, err := io.ReadAll(nc)
	if err != nil || len(all) != sent {
		t.Fatalf("got %d bytes (%v), want %d", len(all), err, sent)
	}
	w.closed(t, ReasonPeer)
	p.released(t)
	one.released(t)

	_, nc = w.pair(t, e) // with nothing waiting the end is the end
	_ = nc.CloseWrite()
	wantEnd(t, nc)
	w.closed(t, ReasonPeer)
}

func (s suite) halfCloseInFinish(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	c, nc := w.pair(t, e)
	p := text(strings.Repeat("x", 1<<20))
	sent := s.fill(e, c, p)
	c.Finish(text("bye"), ReasonPolicy)
	_ = nc.CloseWrite()
	all, err := io.ReadAll(nc)
	if err != nil || len(all) != sent+3 || !bytes.HasSuffix(all, []byte("bye")) {
		t.Fatalf("got %d bytes (%v), want %d and the last ones", len(all), err, sent+3)
	}
	w.closed(t, ReasonPolicy)
	p.released(t)
}

func (s suite) resets(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{SendBytes: 64 << 20})
	p := text(strings.Repeat("x", 1<<20))
	for i := range 20 {
		c, nc := w.pair(t, e)
		switch i % 4 {
		case 1: // with something unread at both ends
			c.Send(text("x"))
			_, _ = io.WriteString(nc, "y")
		case 2: // with output waiting
			s.fill(e, c, p)
		case 3: // while the last bytes wait
			s.fill(e, c, p)
			c.Finish(nil, ReasonRestart)
		}
		_ = nc.SetLinger(0)
		nc.Close()
		if got := await(t, "Closed", w.ended).why; i%4 == 3 && got != ReasonRestart || i%4 < 3 && got != ReasonReset {
			t.Fatalf("case %d closed for %v", i%4, got)
		}
	}
	p.released(t)
	_, nc := w.pair(t, e)
	say(t, nc, "still here\n")
	want(t, nc, "still here\n")
}
