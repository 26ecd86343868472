package netpoll

import "golang.org/x/sys/unix"

const (
	maxTail  = 1 << 10 // capacity of a pooled tail, bytes
	maxTails = 256     // pooled tails of a loop
	// maxCopy is the longest tail that is copied in front of every read. A longer
	// one is read behind: byte by byte, 64 KiB would else be copied 65,536 times.
	maxCopy = 4 << 10
)

// tail is what was read and not used up.
type tail struct{ b []byte }

// space returns t's bytes with room behind them: t doubles, up to limit.
func (t *tail) space(limit int) []byte {
	if have := len(t.b); cap(t.b)-have < have/4 && cap(t.b) < limit {
		t.b = append(make([]byte, 0, min(2*have, limit)), t.b...)
	}
	return t.b[:min(cap(t.b), limit)]
}

// read reads once: a level-triggered socket with more comes again, after the others.
func (l *loop) read(c *conn) {
	buf, have := l.buf, 0
	if t := c.tail; t != nil {
		if have = len(t.b); have > maxCopy {
			buf = t.space(len(buf))
		} else {
			copy(buf, t.b)
		}
	}
	if have >= len(buf) { // above: it was adopted with more
		l.close(c, ReasonTooBig)
		return
	}
	n, errno := receive(c.fd, buf[have:])
	switch {
	case errno == unix.EAGAIN || errno == unix.EINTR:
	case errno != 0:
		l.close(c, ReasonReset)
	case n == 0:
		l.ended(c)
	default:
		l.bytesIn.Add(uint64(n))
		l.offer(c, buf[:have+n])
	}
}

// offer gives in, which starts with c's tail, to the handler and keeps the rest.
func (l *loop) offer(c *conn, in []byte) {
	if !c.isOpen() {
		l.keep(c, nil) // a connection that is ending is not listened to
		return
	}
	used := l.handler.Data(c, in)
	if l.owns(c) { // not detached
		l.keep(c, in[used:])
	}
}

// keep makes rest the tail of c; it may be the end of the present one.
func (l *loop) keep(c *conn, rest []byte) {
	t := c.tail
	if t != nil && (len(rest) == 0 || cap(t.b) > maxCopy && len(rest) <= maxTail) {
		c.tail = nil
		l.spareTail(t) // not the one that rest is in: that is too large
	}
	if len(rest) == 0 {
		return
	}
	if c.tail == nil {
		c.tail = l.newTail()
	}
	if b := c.tail.b; cap(b) > 0 && &b[:1][0] == &rest[0] {
		c.tail.b = b[:len(rest)] // read behind the tail, and nothing used up
		return
	}
	c.tail.b = append(c.tail.b[:0], rest...)
}

func (l *loop) newTail() *tail {
	last := len(l.tails) - 1
	if last < 0 {
		return new(tail)
	}
	t := l.tails[last]
	l.tails = l.tails[:last]
	return t
}

func (l *loop) spareTail(t *tail) {
	if cap(t.b) <= maxTail && len(l.tails) < maxTails {
		t.b = t.b[:0]
		l.tails = append(l.tails, t)
	}
}

// ended is called when the peer has ended its direction. What waits is still sent:
// the peer may be reading on.
func (l *loop) ended(c *conn) {
	l.keep(c, nil)
	c.mu.Lock()
	if c.out == nil || c.state >= stateDraining {
		c.mu.Unlock()
		l.close(c, ReasonPeer)
		return
	}
	if c.state == stateOpen {
		c.finish(ReasonPeer)
	}
	c.state = stateDraining
	c.arm()
	c.mu.Unlock()
}
