//go:build unix

package netpoll

import (
	"net/netip"
	"reflect"
	"sync"
	"syscall"
	"time"

	"github.com/tidwall/evio"
)

// evioConn is one connection of an evio loop. What is to be done on the loop goroutine is posted and
// done in a turn: evio calls Data then, and takes output and an action back.
type evioConn struct {
	// Static after construction.
	e      *evioEngine
	ec     evio.Conn
	loop   *evioLoop
	fd     int
	remote netip.AddrPort

	// Owned by the loop goroutine.
	pending reflect.Value // evio's field out, what it has not sent yet
	context any
	tail    []byte // read and not used up
	handed  int    // bytes at the front of out that evio has a copy of

	// Guarded by mu.
	mu     sync.Mutex
	state  evioState
	why    Reason // of the first to end it
	out    queue
	slow   bool // out is to be cut
	posted []func()
	awake  bool          // a turn is on its way, or under way
	timer  *time.Timer   // nil until there is a deadline
	timing uint64        // number of the deadline that counts
	gone   chan struct{} // of a detached one: closed when evio has let go of it
}

// evioState only ever moves down this list.
type evioState uint8

const (
	evioOpen      evioState = iota
	evioFinishing           // the last bytes wait; then its sending direction is ended
	evioShut                // waits for the peer to close; what it says is dropped
	evioDoomed              // evio is to close it
	evioDetached            // evio is to let go of it
	evioClosed              // the descriptor is gone, or somebody else's: evio must not be called
)

func (c *evioConn) Send(p Payload) bool {
	b := p.Bytes()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != evioOpen {
		return false
	}
	if c.out.bytes+len(b) > c.e.cfg.SendBytes || c.e.queued.Load()+int64(len(b)) > c.e.cfg.SendBytesTotal {
		c.e.slow.Add(1)
		c.slow = true
		c.finish(ReasonSlow)
		return false
	}
	c.out.add(b, 0, p)
	c.wake()
	return true
}

func (c *evioConn) Finish(p Payload, why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != evioOpen {
		return
	}
	if p != nil {
		c.out.add(p.Bytes(), 0, p)
	}
	c.finish(why)
}

// finish refuses further sends, and closes c later if the peer does not. c.mu must be held.
func (c *evioConn) finish(why Reason) {
	c.state, c.why = evioFinishing, why
	c.deadline(c.e.cfg.CutAfter, func() { c.Close(why) })
	c.wake()
}

func (c *evioConn) Close(why Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= evioDoomed {
		return
	}
	if c.state == evioOpen {
		c.why = why
	}
	c.state = evioDoomed
	c.out.drop(0)
	c.wake()
}

// post has fn (nil: nothing) run in a turn, unless c is closed before.
func (c *evioConn) post(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == evioClosed {
		return
	}
	if fn != nil {
		c.posted = append(c.posted, fn)
	}
	c.wake()
}

// wake asks for a turn. c.mu must be held: once c is closed, evio may have closed its eventfd, whose
// number may be another's.
func (c *evioConn) wake() {
	if c.state != evioClosed && !c.awake {
		c.awake = true
		c.ec.Wake()
	}
}

// turn runs event and what was posted, and returns what evio has to do. It is the batch of EndBatch.
func (c *evioConn) turn(event func()) ([]byte, evio.Action) {
	c.mu.Lock()
	c.awake = true // what is sent in this turn leaves at its end
	c.account()
	posted := c.posted
	c.posted = nil
	c.mu.Unlock()
	event()
	for _, fn := range posted {
		fn()
	}
	c.loop.handler.EndBatch()

	c.mu.Lock()
	defer c.mu.Unlock()
	c.awake = false
	if len(c.posted) > 0 {
		c.wake()
	}
	return c.handOver()
}

// account takes off what evio has sent since it was asked last. c.mu must be held.
func (c *evioConn) account() {
	pending := c.pending.Len()
	if c.state < evioDoomed { // else out was dropped
		c.out.sent(c.handed - pending)
	}
	c.handed = pending
}

// handOver gives evio all that waits whenever there is more than it has: it takes that for its whole
// output, so what it has not sent yet is repeated. c.mu must be held.
func (c *evioConn) handOver() ([]byte, evio.Action) {
	pending := c.handed
	switch c.state {
	case evioDetached:
		return nil, evio.Detach
	case evioClosed:
		return nil, evio.None
	case evioDoomed:
		if pending > 0 { // evio does not close before it has sent; now sending fails
			_ = syscall.Shutdown(c.fd, syscall.SHUT_RDWR)
		}
		return nil, evio.Close
	}
	changed := c.slow || c.out.bytes > pending
	if c.slow {
		c.slow = false
		c.out.cut(c.e.cfg.FrameEnd)
		if b := c.e.cfg.SlowClose; len(b) > 0 {
			c.out.add(b, 0, nil)
		}
	}
	if changed && c.out.bytes > 0 {
		c.e.bytesOut.Add(uint64(max(c.out.bytes-pending, 0)))
		c.e.writes.Add(1)
		c.loop.out = c.out.appendTo(c.loop.out[:0])
		c.handed = c.out.bytes
		c.e.sweepLater(c)
		return c.loop.out, evio.None
	}
	switch {
	case pending > 0 && c.out.bytes == 0: // cut where a frame ends, and evio cannot be told to send nothing
		c.state = evioDoomed
		return c.handOver()
	case pending > 0:
		c.e.sweepLater(c)
	case c.state == evioFinishing:
		c.state = evioShut
		_ = syscall.Shutdown(c.fd, syscall.SHUT_WR) // fails only if the peer was faster
	}
	return nil, evio.None
}

// offer gives in, behind what was left, to the handler and keeps the rest.
func (c *evioConn) offer(in []byte) {
	if len(in) == 0 {
		return
	}
	if !c.isOpen() {
		c.tail = nil
		return
	}
	if len(c.tail) > 0 {
		c.tail = append(c.tail, in...)
		in = c.tail
	}
	used := c.loop.handler.Data(c, in)
	rest := in[used:]
	switch {
	case len(rest) == 0 || !c.isOpen():
		c.tail = nil
	case len(rest) > c.e.cfg.ReadBytes:
		c.tail = nil
		c.Close(ReasonTooBig)
	default:
		c.tail = append(c.tail[:0], rest...)
	}
}

func (c *evioConn) isOpen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state == evioOpen
}

// ended tells that evio has closed c, for why if nobody had a reason before.
func (c *evioConn) ended(why Reason) {
	c.mu.Lock()
	was := c.state
	if was != evioOpen {
		why = c.why
	}
	c.state = evioClosed
	c.out.drop(0)
	c.deadline(0, nil)
	c.mu.Unlock()
	c.e.forget(c)
	c.tail = nil
	if was == evioDetached {
		close(c.gone)
		return
	}
	c.e.leave()
	c.e.closed[why].Add(1)
	c.loop.handler.Closed(c, why)
	c.loop.handler.EndBatch()
}

func (c *evioConn) Remote() netip.AddrPort {
	if behind, ok := c.e.adopted.Load(c.remote); ok {
		return behind.(netip.AddrPort)
	}
	return c.remote
}

func (c *evioConn) Context() any     { return c.context }
func (c *evioConn) SetContext(v any) { c.context = v }

func (c *evioConn) SetDeadline(in time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == evioOpen { // else there is only finish's
		c.deadline(in, func() { c.loop.handler.Timeout(c) })
	}
}

// deadline has fn run in a turn after in; 0: nothing any more. c.mu must be held.
func (c *evioConn) deadline(in time.Duration, fn func()) {
	c.timing++
	if c.timer != nil {
		c.timer.Stop()
	}
	if in <= 0 {
		return
	}
	mine := c.timing
	c.timer = time.AfterFunc(in, func() {
		c.post(func() {
			c.mu.Lock()
			counts := c.timing == mine && c.state < evioDoomed
			c.mu.Unlock()
			if counts {
				fn()
			}
		})
	})
}
