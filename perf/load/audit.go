//go:build linux

package load

import "nebula/perf/wire"

// Audit reads the history of every room back to its first message and looks for
// every message of the last step that was acked; at most as long as that.
func (g *Generator) Audit(most int64) (Audit, error) {
	before := g.seen.faults.Pages
	for i := range g.clients {
		if c := &g.clients[i]; c.state == joined && !c.asking && c.room.reader == nil {
			c.room.reader = c
			g.ask(c, 0)
		}
	}
	_, err := g.run(g.clock.Now()+most, func() bool { return g.reading() == 0 })
	result := Audit{Forgotten: g.ledger.Forgotten(), Broken: g.seen.faults.Pages - before}
	for i := range g.rooms {
		r := &g.rooms[i]
		switch {
		case r.audited:
			result.Rooms++
		case r.members > 0:
			result.Unread++
		}
		r.reader, r.audited, r.auditAt = nil, false, 0
	}
	return result, err
}

// reading is how many rooms have an answer to come.
func (g *Generator) reading() int {
	n := 0
	for i := range g.rooms {
		if r := &g.rooms[i]; r.reader != nil && r.reader.state == joined && !r.audited {
			n++
		}
	}
	return n
}

// audited takes one page, whose first seq is first, and asks for the one before it.
func (g *Generator) audited(c *client, e *wire.Event, first uint64) {
	r := c.room
	last := uint64(0)
	wire.Items(e.Messages, func(value []byte) bool {
		var m wire.Event
		if m.Decode(value) != nil {
			return true // page counted it
		}
		last = m.Seq
		if n, own := g.number(m.ID); own {
			g.ledger.Kept(n, r.index, m.Seq)
		}
		return true
	})
	if r.auditAt != 0 && last != 0 && last+1 != r.auditAt || e.More && first == 0 {
		g.seen.faults.Pages++
		r.audited = first == 0
	}
	r.auditAt = first
	if !e.More || first <= 1 {
		r.audited = true
		return
	}
	g.ask(c, first)
}

// ask asks for the page that ends before a seq; 0: the newest.
func (g *Generator) ask(c *client, before uint64) {
	c.asking = true
	g.payload = wire.AppendHistory(g.payload[:0], c.room.name, before, historyPage)
	g.say(c, wire.OpText, g.payload)
}
