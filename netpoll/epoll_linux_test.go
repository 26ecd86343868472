package netpoll

import (
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func TestEpoll_Conforms(t *testing.T) { suite{listen: Listen}.run(t) }

func TestConn_IsSmall(t *testing.T) {
	var c conn
	if got := unsafe.Sizeof(c); got != 96 {
		t.Errorf("a connection has %d bytes, want 96", got)
	}
	if got := unsafe.Offsetof(c.context); got != 32 {
		t.Errorf("what a fan-out touches has %d bytes, want 32", got)
	}
}

// on runs fn on the goroutine of e's first loop.
func on(t *testing.T, e Engine, fn func(*loop)) {
	t.Helper()
	l := e.(*engine).loops[0]
	done := make(chan struct{})
	if !l.post(func() { fn(l); close(done) }) {
		t.Fatal("the loop has ended")
	}
	await(t, "a posted function", done)
}

// ready counts what is ready at e's first loop: level-triggered, so that what nobody
// takes away is seen here as well as there.
func ready(e Engine) int {
	n, err := unix.EpollWait(e.(*engine).loops[0].epoll, make([]unix.EpollEvent, 8), 0)
	if err != nil && err != unix.EINTR {
		panic(err)
	}
	return n
}

func TestLoop_NothingMakesItSpin(t *testing.T) {
	s := suite{listen: Listen}
	flood := text(strings.Repeat("x", 1<<20))
	fill := func(c Conn) {
		for c.(*conn).waiting() == 0 {
			c.Send(flood)
		}
	}
	is := func(want state) func(Conn) bool {
		return func(c Conn) bool {
			c.(*conn).mu.Lock()
			defer c.(*conn).mu.Unlock()
			return c.(*conn).state == want
		}
	}
	for name, one := range map[string]struct {
		do   func(Conn, *net.TCPConn)
		done func(Conn) bool
	}{
		"Waiting":   {func(c Conn, _ *net.TCPConn) { fill(c) }, is(stateOpen)},
		"Finishing": {func(c Conn, _ *net.TCPConn) { fill(c); c.Finish(nil, ReasonPolicy) }, is(stateFinishing)},
		"Draining":  {func(c Conn, nc *net.TCPConn) { fill(c); _ = nc.CloseWrite() }, is(stateDraining)},
		"DrainingInFinish": {
			func(c Conn, nc *net.TCPConn) { fill(c); c.Finish(nil, ReasonPolicy); _ = nc.CloseWrite() },
			is(stateDraining),
		},
		"Shut":     {func(c Conn, _ *net.TCPConn) { c.Finish(nil, ReasonPolicy) }, is(stateShut)},
		"ShutSaid": {func(c Conn, nc *net.TCPConn) { c.Finish(nil, ReasonPolicy); say(t, nc, "x") }, is(stateShut)},
		"ShutAtLast": {
			func(c Conn, nc *net.TCPConn) {
				c.Send(text("y"))
				c.Finish(nil, ReasonPolicy)
				want(t, nc, "y")
				wantEnd(t, nc)
			},
			is(stateShut),
		},
		"SlowAtOnceUntold": {func(c Conn, _ *net.TCPConn) { c.Send(&blob{b: make([]byte, 80<<20)}) }, is(stateFinishing)},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch()
			e := s.start(t, w, Config{SendBytes: 64 << 20})
			c, nc := w.pair(t, e)
			one.do(c, nc)
			until(t, "the state is reached", func() bool { return one.done(c) })
			until(t, "nothing is ready", func() bool { return ready(e) == 0 })
		})
	}
}

// waiting is what c has queued, bytes.
func (c *conn) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		return 0
	}
	return c.out.bytes
}

func TestLoop_BrokenListenerIsLeftAlone(t *testing.T) {
	w := watch()
	e := suite{listen: Listen}.start(t, w, Config{})
	_, nc := w.pair(t, e)
	// accept(2) says EINVAL from now on, and epoll that there is something to accept.
	if err := unix.Shutdown(e.(*engine).listener, unix.SHUT_RD); err != nil {
		t.Fatal(err)
	}
	until(t, "the listener is disarmed", func() (paused bool) {
		on(t, e, func(l *loop) { paused = l.rearm > 0 })
		return paused
	})
	say(t, nc, "the loop goes on\n")
	want(t, nc, "the loop goes on\n")
	if got := e.Stats().RejectedFiles; got != 0 {
		t.Errorf("%d met the limit of open files, want 0", got)
	}
}

func TestLoop_StaleEventIsDropped(t *testing.T) {
	w := watch()
	e := suite{listen: Listen}.start(t, w, Config{})
	old, nc := w.pair(t, e)
	stale := unix.EpollEvent{Events: unix.EPOLLIN, Fd: old.(*conn).fd, Pad: int32(uint32(old.(*conn).gen))}
	nc.Close()
	w.closed(t, ReasonPeer)
	// The next connection would take the same descriptor, if the client did not.
	c := &conn{fd: stale.Fd, gen: old.(*conn).gen + 1, loop: e.(*engine).loops[0]}
	on(t, e, func(l *loop) {
		l.conns[c.fd] = c
		l.handle(&stale) // would close c: its descriptor is nobody's
		if !l.owns(c) {
			t.Error("the event met the descriptor's next owner")
		}
		l.conns[c.fd] = nil
		l.handle(&stale)
		l.handle(&unix.EpollEvent{Events: unix.EPOLLIN, Fd: 1 << 20, Pad: 7})
	})
}

func TestListen_NoDelayIsInherited(t *testing.T) {
	w := watch()
	e := suite{listen: Listen}.start(t, w, Config{})
	c, _ := w.pair(t, e)
	got, err := unix.GetsockoptInt(int(c.(*conn).fd), unix.IPPROTO_TCP, unix.TCP_NODELAY)
	if err != nil || got == 0 {
		t.Errorf("TCP_NODELAY is %d (%v), want 1", got, err)
	}
	if got, err := unix.GetsockoptInt(e.(*engine).listener, unix.SOL_SOCKET, unix.SO_PROTOCOL); err != nil || got != unix.IPPROTO_TCP {
		t.Errorf("listens with protocol %d (%v), want TCP", got, err)
	}
}

func TestAddrPort_Families(t *testing.T) {
	w := watch()
	l, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		t.Fatal(err) // every Linux has ::1
	}
	l.Close()
	e, err := Listen(Config{Addr: "[::1]:0", Handler: func(int) Handler { return w }})
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t, e)
	c, nc := w.pair(t, e)
	if got := c.Remote(); got != netip.MustParseAddrPort(nc.LocalAddr().String()) {
		t.Errorf("remote is %v, want %v", got, nc.LocalAddr())
	}
}

func TestDoor_WakesOnceAndOnlySleepers(t *testing.T) {
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(wake)
	d := door{wake: wake}
	ran := 0
	fn := func() { ran++ }
	wakes := func(want bool) {
		t.Helper()
		var count [8]byte
		if _, err := unix.Read(wake, count[:]); (err == nil) != want || want && count[0] != 1 {
			t.Errorf("woken: %v (%d), want %v", err == nil, count[0], want)
		}
	}
	d.post(fn)
	wakes(false) // nobody sleeps
	if d.sleep() {
		t.Error("sleeps over what was posted")
	}
	d.run(false)
	if !d.sleep() {
		t.Error("does not sleep")
	}
	d.post(fn)
	d.post(fn)
	wakes(true)
	d.run(false)
	d.sleep()
	d.run(true)
	if d.post(fn) {
		t.Error("taken after the end")
	}
	wakes(false)
	if ran != 3 {
		t.Errorf("%d functions ran, want 3", ran)
	}
}

func TestQueue_KeepsNoMemory(t *testing.T) {
	w := watch()
	e := suite{listen: Listen}.start(t, w, Config{SendBytes: 64 << 20})
	c, nc := w.pair(t, e)
	p := text(strings.Repeat("x", 1000))
	for c.(*conn).waiting() < 1<<20 {
		c.Send(p)
	}
	go func() { _, _ = io.Copy(io.Discard, nc) }()
	until(t, "nothing waits", func() bool { return c.(*conn).waiting() == 0 })
	if c.(*conn).out != nil {
		t.Error("an empty queue is kept")
	}
	for {
		q, _ := e.(*engine).queues.Get().(*queue)
		if q == nil {
			break
		}
		if cap(q.items) > maxSpare || len(q.items) > 0 || q.head != 0 || q.off != 0 || q.bytes != 0 {
			t.Errorf("a pooled queue is %+v with room for %d items", q, cap(q.items))
		}
	}
	p.released(t)
}
