//go:build linux

package load

import (
	"errors"
	"io"
	"nebula/perf/sock"
)

const (
	tickEvery  = 10 * millisecond
	controlKey = -1
)

// run turns the loop until done says so or the time has come; it reports which.
// done is asked once a tick.
func (g *Generator) run(until int64, done func() bool) (bool, error) {
	for {
		g.now = g.clock.Now()
		if g.now >= until {
			return done != nil && done(), nil
		}
		if g.now >= g.nextTick {
			g.tick()
			if done != nil && done() {
				return true, nil
			}
		}
		if err := g.turn(until); err != nil {
			return false, err
		}
	}
}

// turn waits for the next thing to do and does everything that is there.
func (g *Generator) turn(until int64) error {
	g.publish()
	limit := min(until, g.nextTick, g.nextDue())
	before := g.clock.Now()
	events, slept, err := g.poller.Wait(limit - before)
	if err != nil {
		return err
	}
	g.now = g.clock.Now()
	if slept {
		g.waited += g.now - before
	}
	for _, e := range events {
		if e.Key == controlKey {
			if err := g.control.fill(); err != nil {
				return err
			}
			continue
		}
		if c := &g.clients[e.Key]; c.fd >= 0 && c.gen == e.Gen {
			g.handle(c, e.What)
			g.publish()
		}
	}
	return nil
}

func (g *Generator) handle(c *client, what uint32) {
	if c.state == connecting {
		g.connected(c)
		return
	}
	if what&sock.Write != 0 {
		g.flush(c)
	}
	if c.fd < 0 || what&(sock.Read|sock.Hangup|sock.Failed) == 0 {
		return
	}
	if c.paused {
		g.unpause(c) // its end came while it slept
		return
	}
	g.readable(c)
}

// readable reads once and judges what came.
func (g *Generator) readable(c *client) {
	if room := len(c.tail) + readBytes; room > len(g.in) {
		g.in = make([]byte, 2*room)
	}
	before := copy(g.in, c.tail)
	n, err := sock.Receive(int(c.fd), g.in[before:before+readBytes])
	g.now = g.clock.Now()
	switch {
	case errors.Is(err, sock.ErrAgain):
		return
	case errors.Is(err, io.EOF):
		g.end(c, Ended)
		return
	case err != nil:
		g.end(c, Reset)
		return
	}
	g.seen.reads++
	g.seen.bytes += int64(n)
	rest := g.consume(c, g.in[:before+n])
	if c.fd < 0 {
		return
	}
	if len(rest) > maxFrame {
		g.seen.faults.Frames++
		g.end(c, "frame too long")
		return
	}
	g.keep(c, rest)
}

// keep holds a partial frame until the next read; buffers are shared, because
// few clients have one at a time.
func (g *Generator) keep(c *client, rest []byte) {
	switch {
	case len(rest) == 0 && c.tail != nil:
		g.spare = append(g.spare, c.tail[:0])
		c.tail = nil
		return
	case len(rest) == 0:
		return
	case c.tail == nil && len(g.spare) > 0:
		c.tail = g.spare[len(g.spare)-1]
		g.spare = g.spare[:len(g.spare)-1]
	}
	c.tail = append(c.tail[:0], rest...)
}

// tick does what has time.
func (g *Generator) tick() {
	g.nextTick = g.now + tickEvery
	g.slowness()
	g.comeBack()
	g.dialMore()
}
