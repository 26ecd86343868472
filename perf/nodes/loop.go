//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"nebula/perf/check"
	"nebula/perf/hist"
	"nebula/perf/sock"
	"nebula/perf/wire"
)

const (
	tickEvery = int64(10_000_000) // ns
	sayAtOnce = 32                // messages between two reads, when the loop is behind
	maxFrame  = 16 << 20
)

// plan is one load; times are ns of meter.Clock.
type plan struct {
	start, window, end, until int64   // publish, measure, end both, give up what is on its way
	rate                      float64 // messages a second
}

// due is when message k is to be sent.
func (p plan) due(k uint64) int64 {
	if p.rate <= 0 {
		return math.MaxInt64
	}
	return p.start + int64(float64(k)*1e9/p.rate)
}

// during tells whether a moment lies in the window.
func (p plan) during(at int64) bool { return at >= p.window && at < p.end }

// sight is what is counted under one load.
type sight struct {
	sent, acked int // in the window
	taken       int // acked in all
	waited      int64
	refused     map[string]int // answers that are errors, by code
	broken      int            // frames or events that the protocol does not have
	tally       check.Tally

	ack, across, same, late hist.Hist // of what was due in the window
}

// run plays one load. What broke is told by faults, an error is of the run itself.
func (c *crowd) run(ctx context.Context, p plan) error {
	c.begin(p)
	for tick := int64(0); ; {
		c.now = c.clock.Now()
		if c.now >= tick {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if c.now >= p.end && (c.settled() || c.now >= p.until) {
				return nil
			}
			tick = c.now + tickEvery
		}
		c.publish()
		if err := c.turn(tick); err != nil {
			return err
		}
	}
}

func (c *crowd) begin(p plan) {
	c.plan, c.k, c.free = p, 0, len(c.members)
	c.seen = sight{refused: make(map[string]int)}
	c.ledger.Open(int(p.rate * float64(p.end-p.start) / 1e9))
	for i := range c.members {
		c.members[i].unacked, c.members[i].digest = 0, 0
	}
}

// turn waits for the next thing to do, and does all that is there.
func (c *crowd) turn(tick int64) error {
	before := c.clock.Now()
	events, slept, err := c.poller.Wait(min(tick, c.nextDue()) - before)
	if err != nil {
		return err
	}
	c.now = c.clock.Now()
	if slept && c.plan.during(before) {
		c.seen.waited += c.now - before
	}
	for _, e := range events {
		m := &c.members[e.Key]
		if e.What&sock.Write != 0 {
			if err := c.flush(m, e.Key); err != nil {
				return err
			}
		}
		if e.What&(sock.Read|sock.Hangup|sock.Failed) != 0 {
			if err := c.readable(m, e.Key); err != nil {
				return err
			}
		}
		c.publish()
	}
	return nil
}

// nextDue is when publish has to be called next.
func (c *crowd) nextDue() int64 {
	if due := c.plan.due(c.k); due < c.plan.end {
		return due
	}
	return math.MaxInt64
}

// publish sends what is due, until the end. What finds no free member is not sent.
func (c *crowd) publish() {
	if c.now >= c.plan.end {
		return
	}
	for range sayAtOnce {
		due := c.nextDue()
		if c.now < due {
			return
		}
		if c.free == 0 {
			for c.now >= c.nextDue() {
				c.k++
			}
			return
		}
		c.publishOne(due)
	}
}

// publishOne lets the next free member send.
func (c *crowd) publishOne(due int64) {
	c.k++
	for c.members[c.sender].unacked >= c.unacked {
		c.sender = (c.sender + 1) % len(c.members)
	}
	m, place := &c.members[c.sender], int32(c.sender)
	c.sender = (c.sender + 1) % len(c.members)
	n := c.ledger.Next()
	c.ledger.Send(due, place, m.room.index)
	if m.unacked++; m.unacked == c.unacked {
		c.free--
	}
	c.payload = wire.AppendSay(c.payload[:0], m.room.name, c.prefixes[m.node], n, due, c.text)
	c.say(m, place, wire.OpText, c.payload)
	if c.plan.during(due) {
		c.seen.sent++
		c.seen.late.Record(c.clock.Now() - due)
	}
}

// say sends one frame; what the kernel does not take waits with the member.
func (c *crowd) say(m *member, place int32, op byte, payload []byte) {
	m.mask = m.mask*6364136223846793005 + 1442695040888963407 // Knuth's MMIX; a mask need not be secret here
	c.frame = wire.AppendMasked(c.frame[:0], op, payload, uint32(m.mask>>32))
	waits := len(m.out) > 0
	m.out = append(m.out, c.frame...)
	if !waits {
		_ = c.flush(m, place) // the end of a connection is told by the poller
	}
}

// flush sends what waits.
func (c *crowd) flush(m *member, place int32) error {
	n, err := sock.Send(int(m.fd), m.out)
	if err != nil && !errors.Is(err, sock.ErrAgain) {
		return fmt.Errorf("client %d: %w", place, err)
	}
	m.out = m.out[:copy(m.out, m.out[max(n, 0):])]
	what := uint32(sock.Read)
	if len(m.out) > 0 {
		what |= sock.Write
	} else if !m.watched {
		return nil
	}
	m.watched = len(m.out) > 0
	return c.poller.Change(int(m.fd), place, 0, what)
}

// readable reads once, and judges what came. A connection that ends is an error.
func (c *crowd) readable(m *member, place int32) error {
	if room := len(m.tail) + readSize; room > len(c.in) {
		c.in = make([]byte, 2*room)
	}
	before := copy(c.in, m.tail)
	n, err := sock.Receive(int(m.fd), c.in[before:before+readSize])
	c.now = c.clock.Now()
	switch {
	case errors.Is(err, sock.ErrAgain):
		return nil
	case err != nil:
		return fmt.Errorf("client %d: %w", place, err)
	}
	rest := c.in[:before+n]
	for {
		f, err := wire.Next(rest)
		if err != nil || len(rest) > maxFrame {
			return fmt.Errorf("%w: bad frame to client %d", errProtocol, place)
		}
		if f.Size == 0 {
			break
		}
		if err := c.frameCame(m, place, f); err != nil {
			return err
		}
		rest = rest[f.Size:]
	}
	m.tail = append(m.tail[:0], rest...)
	return nil
}

func (c *crowd) frameCame(m *member, place int32, f wire.Frame) error {
	switch {
	case f.Op == wire.OpText && f.Fin:
		c.event(m, place, f.Payload)
	case f.Op == wire.OpPing:
		c.say(m, place, wire.OpPong, f.Payload)
	default:
		return fmt.Errorf("%w: client %d got a frame of type %d, close code %d", errProtocol, place, f.Op, wire.CloseCode(f.Payload))
	}
	return nil
}
