package netpoll

import (
	"encoding/binary"
	"math"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	maxEvents   = 512                    // of one wait
	maxTail     = 1 << 10                // capacity of a pooled tail, bytes
	maxTails    = 256                    // pooled tails of a loop
	busyWindow  = 20 * time.Millisecond  // shortest time over which busy is measured
	acceptPause = 100 * time.Millisecond // until accept is tried again after EMFILE
	acceptBatch = 128                    // connections accepted in one batch
)

// loop polls its connections. Everything but the door and the counters belongs
// to the goroutine in run.
type loop struct {
	// Static after construction.
	e       *engine
	cfg     *Config
	epoll   int
	wake    int // eventfd
	handler Handler

	// Owned by the loop goroutine.
	conns     map[int32]*conn // by descriptor
	gen       uint32
	buf       []byte   // every read lands here
	tails     [][]byte // spare
	wheel     wheel
	rearm     time.Time // when the listener is tried again, zero: it is armed
	window    time.Time // start of the busy window
	waited    time.Duration
	accepting bool // owns the listener
	stopping  bool

	// Atomic.
	busy     atomic.Uint64 // math.Float64bits
	bytesIn  atomic.Uint64
	bytesOut atomic.Uint64
	writes   atomic.Uint64
	woken    atomic.Bool // the eventfd was written and not read since

	// Guarded by mu: the door.
	mu     sync.Mutex
	posted []func()
	closed bool
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
		e: e, cfg: &e.cfg, epoll: epoll, wake: wake, handler: e.cfg.Handler(index),
		conns: make(map[int32]*conn), buf: make([]byte, e.cfg.ReadBytes), window: time.Now(),
	}
	if err := l.watch(int32(wake), math.MaxUint32); err != nil {
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
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: fd, Pad: int32(gen)}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, int(fd), &event))
}

// busyNow is the share of the last window that the loop did not wait.
func (l *loop) busyNow() float64 { return math.Float64frombits(l.busy.Load()) }

// post has the loop run fn; false: it has ended.
func (l *loop) post(fn func()) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.posted = append(l.posted, fn)
	l.mu.Unlock()
	if l.woken.CompareAndSwap(false, true) {
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		_, _ = unix.Write(l.wake, one[:]) // EAGAIN means that it is awake anyway
	}
	return true
}

// run is the loop goroutine.
func (l *loop) run() {
	events := make([]unix.EpollEvent, maxEvents)
	for !l.stopping {
		n := l.wait(events)
		l.wheel.advance(ticks(l.e.sinceStart()), l.expired)
		for i := range events[:n] {
			l.handle(&events[i])
		}
		l.runPosted()
		l.acceptAgain()
		l.handler.EndBatch()
		if n > 0 {
			runtime.Gosched() // let those run who were woken, before blocking costs a hand-off
		}
	}
	l.end()
}

// wait blocks until something happens or the next deadline.
func (l *loop) wait(events []unix.EpollEvent) int {
	timeout := -1
	if t := l.wheel.wait(); t >= 0 {
		timeout = int(time.Duration(t) * tick / time.Millisecond)
	}
	if !l.rearm.IsZero() {
		if pause := int(acceptPause / time.Millisecond); timeout < 0 || timeout > pause {
			timeout = pause
		}
	}
	before := time.Now()
	n, err := unix.EpollWait(l.epoll, events, timeout)
	after := time.Now()
	l.waited += after.Sub(before)
	if length := after.Sub(l.window); length >= busyWindow {
		l.busy.Store(math.Float64bits(1 - float64(l.waited)/float64(length)))
		l.window, l.waited = after, 0
	}
	if err != nil { // EINTR; anything else is a broken loop of ours, and would spin
		if err != unix.EINTR {
			panic(os.NewSyscallError("epoll_wait", err))
		}
		return 0
	}
	return n
}

func (l *loop) handle(event *unix.EpollEvent) {
	switch {
	case event.Fd == int32(l.wake):
		var count [8]byte
		_, _ = unix.Read(l.wake, count[:])
	case l.accepting && event.Fd == int32(l.e.listener):
		l.accept()
	default:
		c := l.conns[event.Fd]
		if c == nil || c.gen != uint32(event.Pad) {
			return // closed earlier in this batch
		}
		if event.Events&unix.EPOLLOUT != 0 {
			c.flush()
		}
		if event.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			l.read(c)
		}
	}
}

func (l *loop) runPosted() {
	l.woken.Store(false) // before taking: what comes later wakes again
	l.mu.Lock()
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, fn := range posted {
		fn()
	}
}

// expired is called for a connection whose deadline passed.
func (l *loop) expired(c *conn) {
	c.mu.Lock()
	finishing := c.state == stateFinishing
	if finishing {
		c.doom(c.why)
	}
	open := c.state == stateOpen
	c.mu.Unlock()
	if open {
		l.handler.Timeout(c)
	}
}

// read reads once: a level-triggered socket with more comes again, after the others.
func (l *loop) read(c *conn) {
	have := copy(l.buf, c.tail)
	if have == len(l.buf) {
		l.close(c, ReasonTooBig)
		return
	}
	n, err := unix.Read(int(c.fd), l.buf[have:])
	switch {
	case err == unix.EAGAIN || err == unix.EINTR:
		return
	case err != nil:
		l.close(c, ReasonReset)
		return
	case n == 0:
		l.close(c, ReasonPeer)
		return
	}
	l.bytesIn.Add(uint64(n))
	l.offer(c, l.buf[:have+n])
}

// offer gives in, which starts with c's tail, to the handler and keeps the rest.
func (l *loop) offer(c *conn, in []byte) {
	c.mu.Lock()
	open := c.state == stateOpen
	c.mu.Unlock()
	if !open {
		l.keep(c, nil) // a connection that is ending is not listened to
		return
	}
	used := l.handler.Data(c, in)
	l.keep(c, in[used:])
}

// keep makes rest the tail of c; rest does not alias the present one.
func (l *loop) keep(c *conn, rest []byte) {
	if len(rest) == 0 {
		if t := c.tail; t != nil && cap(t) <= maxTail && len(l.tails) < maxTails {
			l.tails = append(l.tails, t[:0])
		}
		c.tail = nil
		return
	}
	if c.tail == nil && len(l.tails) > 0 {
		c.tail = l.tails[len(l.tails)-1]
		l.tails = l.tails[:len(l.tails)-1]
	}
	c.tail = append(c.tail[:0], rest...)
}

// add makes fd, whose peer is remote, a connection of this loop; read is what
// it said elsewhere. It takes over the place in MaxConns that fd holds.
func (l *loop) add(fd int, remote netip.AddrPort, read []byte) {
	l.gen++
	c := &conn{fd: int32(fd), loop: l, remote: remote, gen: l.gen}
	if err := l.watch(c.fd, c.gen); err != nil {
		_ = unix.Close(fd)
		l.e.leave()
		l.e.closed[ReasonError].Add(1)
		return
	}
	l.conns[c.fd] = c
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
	c.drop(0)
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
	delete(l.conns, c.fd)
}

// end closes what is left; nothing is posted afterwards.
func (l *loop) end() {
	l.mu.Lock()
	l.closed = true
	posted := l.posted
	l.posted = nil
	l.mu.Unlock()
	for _, fn := range posted {
		fn()
	}
	for _, c := range l.conns {
		l.close(c, ReasonShutdown)
	}
	l.handler.EndBatch()
	l.closeFDs()
}
