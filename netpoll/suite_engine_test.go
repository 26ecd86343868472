package netpoll

import (
	"errors"
	"io"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

func (s suite) takenPort(t *testing.T) {
	e := s.start(t, &funcs{}, Config{})
	_, err := s.listen(Config{Addr: e.Addr().String(), Handler: func(int) Handler { return &funcs{} }})
	if !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("got %v, want address in use", err)
	}
}

func (s suite) badConfig(t *testing.T) {
	_, err := s.listen(Config{Addr: "127.0.0.1:0", Loops: -1, SendBytes: -1})
	for _, word := range []string{"Loops", "SendBytes", "Handler"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want a word about %s", err, word)
		}
	}
}

func (s suite) oneByteAtATime(t *testing.T) {
	for _, loops := range []int{1, 2, 4} {
		e := s.start(t, &funcs{data: lines}, Config{Loops: loops})
		for range 2 * loops {
			nc := dial(t, e)
			for _, b := range []byte("slowly\nand ") {
				say(t, nc, string(b))
			}
			want(t, nc, "slowly\n")
			say(t, nc, "on\n")
			want(t, nc, "and on\n")
		}
	}
}

// longRest leaves ever more unused, which must come again unchanged; the last part
// of it in pieces of one byte.
func (s suite) longRest(t *testing.T) {
	for _, size := range []int{100, 1 << 10, 4 << 10, 4<<10 + 1, 30 << 10, 64<<10 - 2} {
		w := watch()
		e := s.start(t, w, Config{})
		_, nc := w.pair(t, e)
		for round := range 2 { // the second finds what the first has left in the loop
			line := strings.Repeat(string(rune('a'+round)), size) + "\n"
			say(t, nc, line[:size/2])
			for _, b := range []byte(line[size/2 : size/2+100/2]) {
				say(t, nc, string(b))
			}
			say(t, nc, line[size/2+100/2:]+"rest")
			want(t, nc, line)
			say(t, nc, "\n")
			want(t, nc, "rest\n")
		}
	}
}

func (s suite) tooLongRest(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{ReadBytes: 8 << 10})
	_, nc := w.pair(t, e)
	say(t, nc, strings.Repeat("x", 8<<10-1)+"\n")
	want(t, nc, strings.Repeat("x", 8<<10-1)+"\n")
	say(t, nc, strings.Repeat("x", 8<<10+1))
	w.closed(t, ReasonTooBig)
}

func (s suite) fullIsTold(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{MaxConns: 1, RejectFull: []byte("full")})
	_, first := w.pair(t, e)
	for range 50 {
		nc := dial(t, e)
		_, _ = io.WriteString(nc, "a request that is on its way\n") // may meet a closed socket
		want(t, nc, "full")
	}
	if got := e.Stats(); got.RejectedFull != 50 || got.Connections != 1 {
		t.Fatalf("rejected %d, %d connections, want 50 and 1", got.RejectedFull, got.Connections)
	}
	first.Close()
	w.closed(t, ReasonPeer)
	_, next := w.pair(t, e)
	say(t, next, "in\n")
	want(t, next, "in\n")
}

func (s suite) loopsShare(t *testing.T) {
	for _, loops := range []int{1, 2, 4} {
		var opened [4]atomic.Int32
		e := s.start(t, nil, Config{Loops: loops, Handler: func(loop int) Handler {
			return &funcs{open: func(Conn) { opened[loop].Add(1) }, data: lines}
		}})
		for range 3 * loops {
			nc := dial(t, e)
			say(t, nc, "x\n")
			want(t, nc, "x\n")
		}
		for i := range loops {
			if got := opened[i].Load(); got != 3 && !s.later {
				t.Errorf("loop %d of %d has %d connections, want 3", i, loops, got)
			}
		}
	}
}

// eachMeetsAll has one function detach the connections that it meets.
func (s suite) eachMeetsAll(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{Loops: 2})
	const conns = 20
	for range conns {
		c, _ := w.pair(t, e)
		if !c.Remote().Addr().Is4() || c.Remote().Addr() != netip.MustParseAddr("127.0.0.1") || c.Remote().Port() == 0 {
			t.Fatalf("remote is %v", c.Remote())
		}
	}
	met := make(chan error, 2*conns)
	e.Each(func(c Conn) {
		nc, err := c.Detach(nil)
		if err == nil {
			err = nc.Close()
		}
		met <- err
	})
	for range conns {
		if err := await(t, "Each", met); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "all places are free", func() bool { return e.Stats().Connections == 0 })
	e.Each(func(Conn) { t.Error("met somebody") })
}

func (s suite) countersAddUp(t *testing.T) {
	w := watch()
	e := s.start(t, w, Config{Loops: 1})
	for range 3 {
		_, nc := w.pair(t, e)
		say(t, nc, "hello\n")
		want(t, nc, "hello\n")
		nc.Close()
		w.closed(t, ReasonPeer)
	}
	got := e.Stats()
	if got.Accepted != 3 || got.BytesIn != 18 || got.BytesOut != 18 || got.Writes != 3 || got.Closed[ReasonPeer] != 3 {
		t.Errorf("got %+v", got)
	}
	if len(got.Busy) != 1 || got.Busy[0] < 0 || got.Busy[0] > 1 || e.Busy() < 0 || e.Busy() > 1 {
		t.Errorf("busy %v and %v, want a share", got.Busy, e.Busy())
	}
	if ReasonTooBig.String() != "too_big" || ReasonError.String() != "error" {
		t.Error("reasons and their names do not match")
	}
}

func (s suite) deadline(t *testing.T) {
	fired := make(chan Conn, 8)
	w := watch()
	w.timeout = func(c Conn) { fired <- c }
	w.open = func(c Conn) {
		c.SetDeadline(time.Hour)
		c.SetDeadline(time.Millisecond) // replaces it
		w.opened <- c
	}
	w.data = func(c Conn, in []byte) int {
		switch string(in) {
		case "again":
			c.SetDeadline(time.Millisecond)
		case "never":
			c.SetDeadline(time.Millisecond)
			c.SetDeadline(0)
		}
		return len(in)
	}
	e := s.start(t, w, Config{})
	first, nc := w.pair(t, e)
	await(t, "Timeout", fired)
	say(t, nc, "again")
	await(t, "another Timeout", fired)
	say(t, nc, "never")
	// What is due at the same time or before would come first.
	_, other := w.pair(t, e)
	for range 3 {
		if c := await(t, "Timeout of the other", fired); c == first {
			t.Fatal("a deadline that was removed has passed")
		}
		say(t, other, "again")
	}
	await(t, "the last Timeout", fired)
}
