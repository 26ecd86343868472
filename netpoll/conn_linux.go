package netpoll

import (
	"net/netip"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

type state uint8

const (
	stateOpen      state = iota
	stateFinishing       // the last bytes are queued or sent
	stateDoomed          // the loop was asked to close it
	stateClosed          // the descriptor is gone, or somebody else's
)

// conn is one connection of an epoll loop. A fan-out touches its first cache
// line only.
type conn struct {
	// Guarded by mu.
	mu     sync.Mutex
	fd     int32
	state  state
	why    Reason // of Finish or Close, whichever came first
	shut   bool   // the sending direction was ended
	off    int    // bytes of out[0] that the kernel took
	queued int    // bytes of out that it did not
	out    []item // waits for EPOLLOUT, which is armed while it is not empty

	// Static after construction.
	loop   *loop
	remote netip.AddrPort
	gen    uint32

	// Owned by the loop goroutine.
	context    any
	tail       []byte // read and not used up
	due        int64  // tick of the deadline, 0: none
	prev, next *conn  // in the wheel's slot
}

// item is bytes that wait, with the reference that keeps them.
type item struct {
	bytes []byte
	owner Payload // nil for SlowClose
}

// sendto is send(2) without the scheduler's bookkeeping: on a non-blocking
// socket it cannot block. It returns the bytes taken or an errno.
func sendto(fd int32, b []byte) (int, syscall.Errno) {
	n, _, errno := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))),
		uintptr(len(b)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func (c *conn) Send(p Payload) bool {
	b := p.Bytes()
	c.mu.Lock()
	if c.state != stateOpen {
		c.mu.Unlock()
		return false
	}
	n := 0
	if len(c.out) == 0 {
		n = c.write(b)
		if n == len(b) {
			c.mu.Unlock()
			return true
		}
		if n < 0 {
			c.mu.Unlock()
			return false
		}
	}
	c.queue(b, n, p)
	c.mu.Unlock()
	return true
}

// write offers b to the kernel once. It returns what was taken; -1 after an
// error, with the close on its way. c.mu must be held.
func (c *conn) write(b []byte) int {
	for {
		n, errno := sendto(c.fd, b)
		switch errno {
		case 0:
			c.loop.bytesOut.Add(uint64(n))
			c.loop.writes.Add(1)
			return n
		case unix.EINTR:
		case unix.EAGAIN, unix.ENOBUFS:
			return 0
		default:
			c.doom(ReasonReset)
			return -1
		}
	}
}

// queue keeps b, of which n bytes are sent, unless that is over a limit. c.mu
// must be held.
func (c *conn) queue(b []byte, n int, p Payload) {
	rest := len(b) - n
	over := c.queued+rest > c.loop.cfg.SendBytes || c.loop.e.queued.Load()+int64(rest) > c.loop.cfg.SendBytesTotal
	if over && n == 0 {
		c.slow()
		return
	}
	p.Retain(1)
	c.push(b, p)
	if n > 0 {
		c.off = n
		c.took(n)
	}
	if over {
		c.slow()
	}
}

// push appends to out and arms EPOLLOUT if it was empty. c.mu must be held.
func (c *conn) push(b []byte, p Payload) {
	if len(c.out) == 0 {
		c.arm(true)
	}
	c.out = append(c.out, item{bytes: b, owner: p})
	c.took(-len(b))
}

// took counts n bytes out of the queue, or -n into it. c.mu must be held.
func (c *conn) took(n int) {
	c.queued -= n
	c.loop.e.queued.Add(int64(-n))
}

// slow drops what waits behind the frame in flight and ends the connection.
// c.mu must be held.
func (c *conn) slow() {
	c.loop.e.slow.Add(1)
	keep := 0
	if len(c.out) > 0 && c.off > 0 {
		first := &c.out[0]
		end := c.loop.cfg.FrameEnd(first.bytes, c.off)
		c.took(len(first.bytes) - end)
		first.bytes = first.bytes[:end]
		keep = 1
	}
	c.drop(keep)
	if keep == 1 && c.off == len(c.out[0].bytes) { // a frame had just ended
		c.drop(0)
	}
	if b := c.loop.cfg.SlowClose; len(b) > 0 {
		c.push(b, nil)
	}
	c.finishing(ReasonSlow)
}

// drop lets go of all items but the first keep ones. c.mu must be held.
func (c *conn) drop(keep int) {
	for i := keep; i < len(c.out); i++ {
		it := &c.out[i]
		size := len(it.bytes)
		if i == 0 {
			size -= c.off
			c.off = 0
		}
		c.took(size)
		if it.owner != nil {
			it.owner.Release()
		}
		*it = item{}
	}
	c.out = c.out[:keep]
	if keep == 0 {
		c.out = nil
	}
}

func (c *conn) Finish(p Payload, why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != stateOpen {
		return
	}
	if p != nil {
		b := p.Bytes()
		n := 0
		if len(c.out) == 0 {
			n = c.write(b)
		}
		if n < 0 {
			return
		}
		if n < len(b) {
			p.Retain(1)
			c.push(b, p)
			if n > 0 {
				c.off = n
				c.took(n)
			}
		}
	}
	c.finishing(why)
}

// finishing refuses further sends and has the loop cut the connection later.
// c.mu must be held.
func (c *conn) finishing(why Reason) {
	c.state, c.why = stateFinishing, why
	if len(c.out) == 0 {
		c.shutdown()
	}
	c.loop.post(func() {
		if !c.isClosed() {
			c.SetDeadline(c.loop.cfg.CutAfter)
		}
	})
}

// shutdown ends the sending direction. c.mu must be held.
func (c *conn) shutdown() {
	c.shut = true
	_ = unix.Shutdown(int(c.fd), unix.SHUT_WR) // fails only if the peer was faster
}

func (c *conn) Close(why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.doom(why)
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
	c.drop(0)
	c.loop.post(func() { c.loop.close(c, c.why) })
}

func (c *conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == stateClosed
}

func (c *conn) Remote() netip.AddrPort { return c.remote }
func (c *conn) Context() any           { return c.context }
func (c *conn) SetContext(v any)       { c.context = v }

func (c *conn) SetDeadline(in time.Duration) {
	c.loop.wheel.remove(c)
	if in > 0 {
		c.loop.wheel.add(c, in)
	}
}

// arm asks epoll for writability, or no longer. c.mu must be held.
func (c *conn) arm(out bool) {
	events := uint32(unix.EPOLLIN | unix.EPOLLRDHUP)
	if out {
		events |= unix.EPOLLOUT
	}
	event := unix.EpollEvent{Events: events, Fd: c.fd, Pad: int32(c.gen)}
	// Fails only for a descriptor that is not registered, which is being closed.
	_ = unix.EpollCtl(c.loop.epoll, unix.EPOLL_CTL_MOD, int(c.fd), &event)
}

// flush sends what waits, as much as the kernel takes. Must be called on the loop
// goroutine.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.out) > 0 {
		first := &c.out[0]
		n := c.write(first.bytes[c.off:])
		if n < 0 {
			return
		}
		c.took(n)
		if c.off += n; c.off < len(first.bytes) {
			return
		}
		if first.owner != nil {
			first.owner.Release()
		}
		*first = item{}
		c.out, c.off = c.out[1:], 0
	}
	c.out = nil // an idle connection holds no queue
	c.arm(false)
	if c.state == stateFinishing && !c.shut {
		c.shutdown()
	}
}
