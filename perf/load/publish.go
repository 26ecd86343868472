//go:build linux

package load

import (
	"math"
	"nebula/perf/wire"
)

const (
	sayAtOnce = 32 // messages or joins between two reads, when the loop is behind
	tries     = 64 // senders looked at before a message is skipped
)

// nextDue is when publish has to be called next.
func (g *Generator) nextDue() int64 {
	switch {
	case g.k < g.step.messages():
		return g.step.due(g.k)
	case g.step.Storm && g.storm < len(g.clients):
		return g.step.Start
	}
	return math.MaxInt64
}

// publish sends what is due.
func (g *Generator) publish() {
	for range sayAtOnce {
		if g.now < g.nextDue() {
			return
		}
		if g.k < g.step.messages() {
			g.publishOne()
		} else {
			g.stormOne()
		}
	}
}

func (g *Generator) publishOne() {
	due := g.step.due(g.k)
	c := g.sender(g.k)
	g.k++
	if c == nil {
		g.seen.skipped++
		return
	}
	n := g.ledger.Next()
	g.ledger.Send(due, c.place, c.room.index)
	g.payload = wire.AppendSay(g.payload[:0], c.room.name, g.idPrefix, n, due, g.cfg.Text)
	g.say(c, wire.OpText, g.payload)
	if due >= g.step.windowStart() {
		g.seen.published++
		g.seen.lateness.Record(g.clock.Now() - due)
	}
}

// sender takes turns, and passes over who is away; nil where nobody near is there.
func (g *Generator) sender(k uint64) *client {
	for i := range uint64(tries) {
		c := &g.clients[g.senders[(k+i)%uint64(len(g.senders))]]
		if c.state == joined {
			return c
		}
	}
	return nil
}

// stormOne lets the next client join.
func (g *Generator) stormOne() {
	c := &g.clients[g.storm]
	g.storm++
	if c.state == idle && c.room != nil {
		c.presence = 0
		g.join(c)
	}
}
