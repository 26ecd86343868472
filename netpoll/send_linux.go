package netpoll

import "golang.org/x/sys/unix"

const (
	maxVector = 64 // items offered to the kernel in one call
	maxSpare  = 64 // items that a pooled queue has room for
)

// overLimit reports whether more bytes, queued, would be too many. c.mu must be held.
func (c *conn) overLimit(more int) bool {
	waiting := more
	if c.out != nil {
		waiting += c.out.bytes
	}
	return waiting > c.loop.cfg.SendBytes || c.loop.e.queued.Load()+int64(more) > c.loop.cfg.SendBytesTotal
}

// push queues b, of which the kernel took n bytes, as queue.add does. c.mu must be held.
func (c *conn) push(b []byte, n int, p Payload) {
	fresh := c.out == nil
	if fresh {
		c.out, _ = c.loop.e.queues.Get().(*queue)
		if c.out == nil {
			c.out = &queue{total: &c.loop.e.queued}
		}
	}
	c.out.add(b, n, p)
	if fresh {
		c.arm()
	}
}

// slow drops what waits behind the frame in flight, and ends the connection. c.mu
// must be held.
func (c *conn) slow() {
	c.loop.e.slow.Add(1)
	if c.out != nil {
		c.out.cut(c.loop.cfg.FrameEnd)
		c.emptied()
	}
	if b := c.loop.cfg.SlowClose; len(b) > 0 {
		c.push(b, 0, nil)
	}
	c.finish(ReasonSlow)
}

// drop lets go of all that waits. c.mu must be held.
func (c *conn) drop() {
	if c.out != nil {
		c.out.drop(0)
		c.emptied()
	}
}

// emptied takes a queue in which nothing waits any more off c: an idle connection holds
// none. c.mu must be held.
func (c *conn) emptied() {
	q := c.out
	if !q.empty() {
		return
	}
	c.out = nil
	if cap(q.items) <= maxSpare {
		c.loop.e.queues.Put(q)
	}
}

// flush sends what waits, as much as the kernel takes in one call: for more, EPOLLOUT
// comes again, after the others had their turn. Must be called on the loop goroutine.
func (c *conn) flush() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out != nil {
		n := c.writeQueue()
		if n < 0 {
			return
		}
		c.out.sent(n)
		c.emptied()
	}
	if c.out != nil || c.state >= stateDoomed {
		return
	}
	c.arm() // EPOLLOUT no longer
	switch c.state {
	case stateFinishing:
		c.shut()
	case stateDraining:
		c.doom(c.why)
	}
}

// writeQueue offers the front of the queue to the kernel once and returns what
// write does. c.mu must be held. Must be called on the loop goroutine.
func (c *conn) writeQueue() int {
	q := c.out
	waiting := q.items[q.head:]
	first := waiting[0].bytes[q.off:]
	if len(waiting) == 1 {
		return c.write(first)
	}
	iov := c.loop.iov[:min(len(waiting), maxVector)]
	defer clear(iov)
	for i := range iov {
		b := waiting[i].bytes
		if i == 0 {
			b = first
		}
		if len(b) > 0 {
			iov[i].Base = &b[0]
		}
		iov[i].SetLen(len(b))
	}
	for {
		n, errno := sendv(c.fd, iov)
		if errno != unix.EINTR {
			return c.wrote(n, errno)
		}
	}
}
