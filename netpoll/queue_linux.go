package netpoll

import "golang.org/x/sys/unix"

const (
	maxVector = 64 // items offered to the kernel in one call
	maxSpare  = 64 // items that a pooled queue has room for
)

// queue is what waits for the kernel to take it, in order. A connection has one
// only while something waits; it belongs to the connection's lock.
type queue struct {
	items []item // those before head are gone
	head  int
	off   int // bytes of items[head] that the kernel took
	bytes int // all that it did not
}

// item is bytes that wait, with the reference that keeps them.
type item struct {
	bytes []byte
	owner Payload // nil for Config.SlowClose
}

// add appends one item, and makes room at the front before it asks for more.
func (q *queue) add(it item) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, it)
}

// overLimit reports whether more bytes, queued, would be too many. c.mu must be held.
func (c *conn) overLimit(more int) bool {
	waiting := more
	if c.out != nil {
		waiting += c.out.bytes
	}
	return waiting > c.loop.cfg.SendBytes || c.loop.e.queued.Load()+int64(more) > c.loop.cfg.SendBytesTotal
}

// push queues b, of which the kernel took n bytes, and takes a reference to p,
// whose bytes they are; nil: nobody's. c.mu must be held.
func (c *conn) push(b []byte, n int, p Payload) {
	if p != nil {
		p.Retain(1)
	}
	fresh := c.out == nil
	if fresh {
		c.out, _ = c.loop.e.queues.Get().(*queue)
		if c.out == nil {
			c.out = new(queue)
		}
		c.out.off = n
	}
	c.out.add(item{bytes: b, owner: p})
	c.count(len(b) - n)
	if fresh {
		c.arm()
	}
}

// count adds n bytes to what waits. c.mu must be held.
func (c *conn) count(n int) {
	c.out.bytes += n
	c.loop.e.queued.Add(int64(n))
}

// slow drops what waits behind the frame in flight, and ends the connection. c.mu
// must be held.
func (c *conn) slow() {
	c.loop.e.slow.Add(1)
	keep := 0
	if q := c.out; q != nil && q.off > 0 {
		first := &q.items[q.head]
		size := len(first.bytes)
		end := min(max(c.loop.cfg.FrameEnd(first.bytes, q.off), q.off), size)
		if end > q.off { // else a frame had just ended
			c.count(end - size)
			first.bytes = first.bytes[:end]
			keep = 1
		}
	}
	c.drop(keep)
	if b := c.loop.cfg.SlowClose; len(b) > 0 {
		c.push(b, 0, nil)
	}
	c.finish(ReasonSlow)
}

// drop lets go of all that waits but the first keep items. c.mu must be held.
func (c *conn) drop(keep int) {
	q := c.out
	if q == nil {
		return
	}
	for i := q.head + keep; i < len(q.items); i++ {
		it := &q.items[i]
		size := len(it.bytes)
		if i == q.head {
			size -= q.off
		}
		c.count(-size)
		it.release()
	}
	q.items = q.items[:q.head+keep]
	if keep == 0 {
		c.emptied()
	}
}

// release gives the item's reference back.
func (it *item) release() {
	if it.owner != nil {
		it.owner.Release()
	}
	*it = item{}
}

// emptied takes the queue, in which nothing waits any more, off c: an idle
// connection holds none. c.mu must be held.
func (c *conn) emptied() {
	q := c.out
	c.out = nil
	if cap(q.items) <= maxSpare {
		*q = queue{items: q.items[:0]}
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
		c.sent(n)
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

// sent takes n bytes off the front of the queue. c.mu must be held.
func (c *conn) sent(n int) {
	q := c.out
	c.count(-n)
	for q.head < len(q.items) {
		first := &q.items[q.head]
		left := len(first.bytes) - q.off
		if n < left {
			q.off += n
			return
		}
		n -= left
		first.release()
		q.head, q.off = q.head+1, 0
	}
	c.emptied()
}
