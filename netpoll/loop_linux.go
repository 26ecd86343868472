package netpoll

import (
	"math"
	"net/netip"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxEvents = 512            // of one wait
	wakeGen   = math.MaxUint32 // in the epoll data of the eventfd; 0: the listener; else a conn's gen
)

// loop polls its connections. Everything but the door, the meter and the counters
// belongs to the goroutine in run.
type loop struct {
	// Static after construction.
	e       *engine
	cfg     *Config
	epoll   int
	handler Handler

	// Owned by the loop goroutine.
	conns     []*conn // by descriptor; nil: not of this loop
	gen       uint16
	buf       []byte  // reads land here
	tails     []*tail // spare
	iov       [maxVector]unix.Iovec
	wheel     wheel
	rearm     int64 // when the listener is tried again, ns since the start; 0: it is armed
	accepting bool  // owns the listener
	stopping  bool

	door
	meter

	// Atomic.
	bytesIn  atomic.Uint64
	bytesOut atomic.Uint64
	writes   atomic.Uint64
}

func newLoop(e *engine, index int) (*loop, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		_ = unix.Close(epoll)
		return nil, os.NewSyscallError("eventfd", err)
	}
	l := &loop{
		e: e, cfg: &e.cfg, epoll: epoll, handler: e.cfg.Handler(index),
		buf: make([]byte, e.cfg.ReadBytes), door: door{wake: wake},
	}
	if err := l.watch(int32(wake), wakeGen); err != nil {
		l.closeFDs()
		return nil, err
	}
	return l, nil
}

func (l *loop) closeFDs() {
	_ = unix.Close(l.epoll)
	_ = unix.Close(l.wake)
}

// watch registers fd for reading; gen comes back with its events.
func (l *loop) watch(fd int32, gen uint32) error {
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: fd, Pad: int32(gen)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, int(fd), &event))
}

// run is the loop goroutine.
func (l *loop) run() {
	events := make([]unix.EpollEvent, maxEvents)
	for !l.stopping {
		n := l.wait(events)
		for i := range events[:n] {
			l.handle(&events[i])
		}
		l.door.run(false)
		l.handler.EndBatch()
		if n > 0 {
			runtime.Gosched() // let those run who were woken, before blocking costs a hand-off
		}
	}
	l.end()
}

// wait blocks until something happens, and does what is due.
func (l *loop) wait(events []unix.EpollEvent) int {
	now := l.e.sinceStart()
	l.rest(now)
	n, err := unix.EpollWait(l.epoll, events, l.timeout(now))
	now = l.e.sinceStart()
	l.work(now)
	if err != nil { // EINTR; anything else is a broken loop of ours, and would spin
		if err != unix.EINTR {
			panic(os.NewSyscallError("epoll_wait", err))
		}
		n = 0
	}
	l.wheel.advance(now, l.expired)
	l.acceptAgain(now)
	return n
}

// timeout is the milliseconds from now to the next thing that is due, rounded up:
// less would wake the loop in vain; -1: nothing is.
func (l *loop) timeout(now int64) int {
	if !l.sleep() {
		return 0
	}
	due := l.wheel.next()
	if l.rearm > 0 && (due < 0 || l.rearm < due) {
		due = l.rearm
	}
	if due < 0 {
		return -1
	}
	return int((max(due-now, 0) + int64(time.Millisecond) - 1) / int64(time.Millisecond))
}

func (l *loop) handle(event *unix.EpollEvent) {
	gen := uint32(event.Pad)
	switch gen {
	case wakeGen:
		l.woken()
		return
	case 0:
		l.accept()
		return
	}
	c := l.at(event.Fd)
	if c == nil || uint32(c.gen) != gen {
		return // closed earlier in this batch
	}
	if event.Events&unix.EPOLLOUT != 0 {
		c.flush()
	}
	if event.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		l.read(c)
	}
}

// expired is called for a connection whose deadline passed.
func (l *loop) expired(c *conn) {
	c.mu.Lock()
	open := c.state == stateOpen
	if c.cutting { // else, if it is not open, cutLater is on its way
		c.doom(c.why)
	}
	c.mu.Unlock()
	if open {
		l.handler.Timeout(c)
	}
}

// at returns the connection that has fd, nil if there is none.
func (l *loop) at(fd int32) *conn {
	if int(fd) < len(l.conns) {
		return l.conns[fd]
	}
	return nil
}

// owns is false once c was closed or detached.
func (l *loop) owns(c *conn) bool { return l.at(c.fd) == c }

// add makes fd, whose peer is remote, a connection of this loop; read is what
// it said elsewhere. It takes over the place in MaxConns that fd holds.
func (l *loop) add(fd int, remote netip.AddrPort, read []byte) {
	if l.gen++; l.gen == 0 {
		l.gen = 1
	}
	c := &conn{fd: int32(fd), loop: l, addr: remote.Addr().As16(), port: remote.Port(), gen: l.gen}
	if err := l.watch(c.fd, uint32(c.gen)); err != nil {
		_ = unix.Close(fd)
		l.e.leave()
		l.e.closed[ReasonError].Add(1)
		return
	}
	if fd >= len(l.conns) {
		l.conns = append(l.conns, make([]*conn, fd+1-len(l.conns))...)
	}
	l.conns[fd] = c
	l.handler.Open(c)
	if len(read) > 0 {
		l.offer(c, read)
	}
}

// close closes the descriptor and tells the handler. Must be called on the loop
// goroutine.
func (l *loop) close(c *conn, why Reason) {
	c.mu.Lock()
	if c.state == stateClosed {
		c.mu.Unlock()
		return
	}
	if c.state != stateOpen {
		why = c.why
	}
	c.state = stateClosed
	c.drop()
	c.mu.Unlock()
	l.forget(c)
	_ = unix.Close(int(c.fd))
	l.e.leave()
	l.e.closed[why].Add(1)
	l.handler.Closed(c, why)
}

// forget takes c out of the loop's books.
func (l *loop) forget(c *conn) {
	l.wheel.remove(c)
	l.keep(c, nil)
	l.conns[c.fd] = nil
}

// each runs fn for every connection.
func (l *loop) each(fn func(*conn)) {
	for _, c := range l.conns {
		if c != nil {
			fn(c)
		}
	}
}

// end closes what is left. What was posted is run first: it may carry a descriptor.
func (l *loop) end() {
	if l.accepting {
		_ = unix.Close(l.e.listener)
	}
	l.door.run(true)
	l.each(func(c *conn) { l.close(c, ReasonShutdown) })
	l.handler.EndBatch()
	l.closeFDs()
}
