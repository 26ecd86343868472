package netpoll

import (
	"bytes"
	"context"
	"io"
	"net"
	"testing"
	"time"
)

// suite is what every engine has to do, whatever it is made of; listen starts one.
type suite struct {
	listen func(Config) (Engine, error)
	// later: Send leaves the writing to the loop, so that all of it counts as waiting at first, loops take
	// connections as they come, and the end of the input is seen after the output has gone.
	later bool
}

// full is a queue that the buffers of the kernel cannot take any more of, bytes.
func (s suite) full() int64 {
	if s.later {
		return 6 << 20
	}
	return 1
}

// fill sends p until the peer, which reads nothing, holds up c, and returns the bytes.
func (s suite) fill(e Engine, c Conn, p *blob) (sent int) {
	for e.Stats().QueuedBytes < s.full() && c.Send(p) {
		sent += len(p.b)
	}
	return sent
}

// run is the conformance suite. Another engine runs it with its own constructor.
func (s suite) run(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(suite, *testing.T)
	}{
		{"TakenPortIsRefused", suite.takenPort},
		{"BadConfigIsRefused", suite.badConfig},
		{"OneByteAtATime", suite.oneByteAtATime},
		{"LongRestComesAgain", suite.longRest},
		{"TooLongRestCloses", suite.tooLongRest},
		{"FullIsTold", suite.fullIsTold},
		{"LoopsShareConnections", suite.loopsShare},
		{"EachMeetsAll", suite.eachMeetsAll},
		{"CountersAddUp", suite.countersAddUp},
		{"ManySendersKeepPayloadsWhole", suite.manySenders},
		{"QueueKeepsOrder", suite.queueKeepsOrder},
		{"SendAfterCloseIsRefused", suite.sendAfterClose},
		{"CloseDuringSend", suite.closeDuringSend},
		{"Slow", suite.slow},
		{"SlowAtTheFirstSend", suite.slowAtOnce},
		{"SlowForTheTotal", suite.slowTotal},
		{"FinishFlushesThenCloses", suite.finishFlushes},
		{"FinishGoesOverTheLimit", suite.finishOverLimit},
		{"FinishTwiceCountsOnce", suite.finishTwice},
		{"FinishCutsWhoTakesNothing", suite.finishCuts},
		{"FinishOutlivesADeadline", suite.finishOutlivesDeadline},
		{"HalfCloseGetsWhatWaits", suite.halfClose},
		{"HalfCloseInFinish", suite.halfCloseInFinish},
		{"Resets", suite.resets},
		{"Deadline", suite.deadline},
		{"DetachAndAdopt", suite.detachAndAdopt},
		{"DetachedReadsWhatWasUnread", suite.detachedReads},
		{"DetachIsRefused", suite.detachRefused},
		{"AdoptAfterCloseKeepsTheConn", suite.adoptAfterClose},
		{"Churn", suite.churn},
		{"CloseDropsWhatWaits", suite.closeDrops},
		{"CloseMeetsDoomedConns", suite.closeMeetsDoomed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(s, t) })
	}
}

// start runs an engine for one test, with h for every loop unless cfg has another.
// At the end it must have let go of everything.
func (s suite) start(t *testing.T, h Handler, cfg Config) Engine {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	if cfg.Handler == nil {
		cfg.Handler = func(int) Handler { return h }
	}
	e, err := s.listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, e) })
	return e
}

func stop(t *testing.T, e Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Connections != 0 || s.QueuedBytes != 0 {
		t.Errorf("after Close: %d connections, %d bytes queued, want 0", s.Connections, s.QueuedBytes)
	}
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

func say(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, r io.Reader, text string) {
	t.Helper()
	got := make([]byte, len(text))
	if n, err := io.ReadFull(r, got); err != nil || string(got) != text {
		t.Fatalf("got %q (%v), want %q", got[:n], err, text)
	}
}

func wantEnd(t *testing.T, r io.Reader) {
	t.Helper()
	if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("got %d bytes, %v, want the end", n, err)
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

// ended is a closed connection.
type ended struct {
	c   Conn
	why Reason
}

// watched is a Handler that echoes lines and tells what opens and closes. The
// channels have room for more than a test needs: a loop must not block.
type watched struct {
	funcs
	opened chan Conn
	ended  chan ended
}

func watch() *watched {
	w := &watched{opened: make(chan Conn, 1<<14), ended: make(chan ended, 1<<14)}
	w.funcs = funcs{
		open:   func(c Conn) { w.opened <- c },
		data:   lines,
		closed: func(c Conn, why Reason) { w.ended <- ended{c, why} },
	}
	return w
}

// pair dials and returns both ends.
func (w *watched) pair(t *testing.T, e Engine) (Conn, *net.TCPConn) {
	t.Helper()
	nc := dial(t, e)
	return await(t, "Open", w.opened), nc
}

// closed waits for the next Closed, which must be for why.
func (w *watched) closed(t *testing.T, why Reason) {
	t.Helper()
	if got := await(t, "Closed", w.ended); got.why != why {
		t.Fatalf("closed for %v, want %v", got.why, why)
	}
}
