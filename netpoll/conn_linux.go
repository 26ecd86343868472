package netpoll

import (
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// state of a connection. It only ever moves down this list:
//
//	open       sends and is listened to
//	finishing  the last bytes wait; then its sending direction is ended: shut
//	draining   the peer has ended its direction, bytes still wait; then: doomed
//	shut       both wait for the peer to close; what it says is dropped
//	doomed     its loop was asked to close it
//	closed     the descriptor is gone, or somebody else's
type state uint8

const (
	stateOpen state = iota
	stateFinishing
	stateDraining
	stateShut
	stateDoomed
	stateClosed
)

// conn is one connection of an epoll loop, 96 bytes. A fan-out touches the first
// 32 of them, which the allocator never spreads over two cache lines: 96 is a size
// class, and a multiple of 32. Hence the fields below that are out of their group.
type conn struct {
	// Guarded by mu, but for what is static.
	mu    sync.Mutex
	fd    int32  // static
	port  uint16 // of the peer; static
	state state
	why   Reason // of the first to end it
	out   *queue // what waits; EPOLLOUT is armed while there is something
	loop  *loop  // static

	// Owned by the loop goroutine.
	context    any
	tail       *tail  // read and not used up; nil: nothing
	prev, next *conn  // in a list of the wheel
	due        uint32 // tick of the deadline, 0: none
	cutting    bool   // the deadline is cutLater's

	// Static after construction.
	gen  uint16   // tells this owner of fd from the last few
	addr [16]byte // of the peer, as IPv6
}

func (c *conn) Send(p Payload) bool {
	b := p.Bytes()
	c.mu.Lock()
	ok := c.state == stateOpen && c.send(b, p)
	c.mu.Unlock()
	return ok
}

// send sends or queues b, of p, within the limits. c.mu must be held.
func (c *conn) send(b []byte, p Payload) bool {
	n := 0
	if c.out == nil {
		if n = c.write(b); n == len(b) {
			return true
		}
		if n < 0 {
			return false
		}
	}
	if c.overLimit(len(b) - n) {
		if n > 0 { // part of b is in flight: its frame has to end well
			c.push(b, n, p)
		}
		c.slow()
		return false
	}
	c.push(b, n, p)
	return true
}

// write offers b to the kernel once. It returns what was taken; -1 after an
// error, with the close on its way. c.mu must be held.
func (c *conn) write(b []byte) int {
	for {
		n, errno := send(c.fd, b)
		if errno != unix.EINTR {
			return c.wrote(n, errno)
		}
	}
}

// wrote judges what a send call returned, as write does. c.mu must be held.
func (c *conn) wrote(n int, errno syscall.Errno) int {
	switch errno {
	case 0:
		c.loop.bytesOut.Add(uint64(n))
		c.loop.writes.Add(1)
		return n
	case unix.EAGAIN, unix.ENOBUFS:
		return 0
	}
	c.doom(ReasonReset)
	return -1
}

func (c *conn) Finish(p Payload, why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateOpen {
		return
	}
	if p != nil {
		b, n := p.Bytes(), 0
		if c.out == nil {
			n = c.write(b)
		}
		if n < 0 {
			return
		}
		if n < len(b) {
			c.push(b, n, p)
		}
	}
	c.finish(why)
}

// finish refuses further sends, and has the loop cut the connection later if the
// peer does not take the last bytes. c.mu must be held.
func (c *conn) finish(why Reason) {
	c.state, c.why = stateFinishing, why
	if c.out == nil {
		c.shut()
	}
	c.loop.post(c.cutLater)
}

// shut ends the sending direction. c.mu must be held.
func (c *conn) shut() {
	c.state = stateShut
	_ = unix.Shutdown(int(c.fd), unix.SHUT_WR) // fails only if the peer was faster
}

func (c *conn) Close(why Reason) {
	c.mu.Lock()
	c.doom(why)
	c.mu.Unlock()
}

// doom has the loop close c. c.mu must be held.
func (c *conn) doom(why Reason) {
	if c.state >= stateDoomed {
		return
	}
	if c.state == stateOpen {
		c.why = why
	}
	c.state = stateDoomed
	c.drop()
	// If the loop refuses, it has ended, or is about to close all that it has.
	c.loop.post(func() { c.loop.close(c, c.why) })
}

// isOpen is true until something ends the connection. What is open on the loop
// goroutine is still in the loop's books.
func (c *conn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == stateOpen
}

func (c *conn) Remote() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(c.addr).Unmap(), c.port)
}

func (c *conn) Context() any     { return c.context }
func (c *conn) SetContext(v any) { c.context = v }

func (c *conn) SetDeadline(in time.Duration) {
	if c.isOpen() { // else there is only cutLater's
		c.deadline(in)
	}
}

// deadline is SetDeadline in any state. Must be called on the loop goroutine.
func (c *conn) deadline(in time.Duration) {
	l := c.loop
	l.wheel.remove(c)
	if in > 0 && l.owns(c) {
		l.wheel.add(c, l.e.sinceStart()+int64(in))
	}
}

// cutLater bounds the time until the peer has taken the last bytes and closed. Must
// be called on the loop goroutine.
func (c *conn) cutLater() {
	c.cutting = true
	c.deadline(c.loop.cfg.CutAfter)
}

// arm tells epoll what c waits for. c.mu must be held.
func (c *conn) arm() {
	var events uint32
	if c.state != stateDraining { // the end of the input would be reported for ever
		events = unix.EPOLLIN
	}
	if c.out != nil {
		events |= unix.EPOLLOUT
	}
	event := unix.EpollEvent{Events: events, Fd: c.fd, Pad: int32(uint32(c.gen))}
	// Fails only for a descriptor that is not registered, which is being closed.
	_ = unix.EpollCtl(c.loop.epoll, unix.EPOLL_CTL_MOD, int(c.fd), &event)
}
