//go:build linux

package load

import "nebula/perf/wire"

// historyPage is the largest page that a client may ask for.
const historyPage = 200

// joined judges the answer to a join. After a resume its messages must go on
// where the member stopped.
func (g *Generator) joined(c *client, e *wire.Event) {
	if c.state != joining || string(e.Room) != c.room.name {
		g.seen.faults.Events++
		return
	}
	r := c.room
	if r.epoch != string(e.Epoch) {
		g.renumbered(r, e)
	}
	first, last, ok := g.page(e.Messages)
	if !ok || last != 0 && last != e.Seq {
		g.seen.faults.Pages++
	}
	c.count = e.Count
	if c.epoch == "" {
		c.stream.Start(e.Seq)
		g.seen.joinTime.Record(g.now - g.step.Start)
	} else {
		g.resumed(c, e, first)
	}
	c.epoch = r.epoch
	c.state, c.joinedAt = joined, g.now
	if !c.slow {
		r.ready++
	}
	r.head = max(r.head, e.Seq)
	g.arrive(c)
	g.fetch(c, 0)
}

// renumbered begins another epoch of a room. Only what was never acked may be gone.
func (g *Generator) renumbered(r *room, e *wire.Event) {
	r.forget()
	r.epoch = string(e.Epoch)
	if r.acked > e.Seq {
		g.seen.tally.Lost += int(r.acked - e.Seq)
	}
	r.acked, r.head = min(r.acked, e.Seq), e.Seq
}

// resumed takes what the client missed; first is the seq of the first message of the page, or 0.
func (g *Generator) resumed(c *client, e *wire.Event, first uint64) {
	g.seen.back++
	g.seen.backTime.Record(g.now - c.leftAt)
	// A new epoch may give a number again that the old one gave to a message that was never acked.
	if restart := first; c.epoch != c.room.epoch {
		if restart == 0 {
			restart = e.Seq + 1
		}
		if restart < c.stream.Next() {
			g.seen.rewound += int(c.stream.Next() - restart)
			c.stream.Start(restart - 1)
		}
	}
	if c.epoch == c.room.epoch && e.Seq+1 < c.stream.Next() {
		g.seen.faults.Pages++ // within an epoch the newest seq never falls
	}
	complete := e.Complete
	wire.Items(e.Messages, func(value []byte) bool {
		var m wire.Event
		if m.Decode(value) != nil {
			return true // page counted it
		}
		g.recovered(c, &m, !complete)
		return true
	})
	c.stream.Skip(e.Seq+1, &g.seen.tally) // what the page should have held
}

// recovered judges a message of a joined. A page that is not complete is the newest one, and may overlap.
func (g *Generator) recovered(c *client, m *wire.Event, overlap bool) {
	if overlap && m.Seq < c.stream.Next() {
		c.stream.Fill(m.Seq, &g.seen.tally)
		return
	}
	if c.stream.Take(m.Seq, &g.seen.tally) {
		g.judge(c.room, m)
	}
}

// page reports the first and last seq of a list of messages, and whether they are whole and rise by one.
func (g *Generator) page(list []byte) (first, last uint64, ok bool) {
	ok = true
	whole := wire.Items(list, func(value []byte) bool {
		var m wire.Event
		if m.Decode(value) != nil || m.Kind != wire.KindMessage || last != 0 && m.Seq != last+1 {
			ok = false
		}
		if last = m.Seq; first == 0 {
			first = m.Seq
		}
		return true
	})
	return first, last, ok && whole
}

// fetch asks for the messages before the end of the newest hole, unless that is
// where the last answer got to.
func (g *Generator) fetch(c *client, before uint64) {
	end, open := c.stream.Hole()
	if !open || c.asking || end == before {
		return
	}
	g.ask(c, end)
}

// history fills holes with a page.
func (g *Generator) history(c *client, e *wire.Event) {
	if !c.asking || string(e.Room) != c.room.name {
		g.seen.faults.Events++
		return
	}
	c.asking = false
	first, _, ok := g.page(e.Messages)
	if !ok {
		g.seen.faults.Pages++
	}
	if c.room.reader == c {
		g.audited(c, e, first)
		return
	}
	before, _ := c.stream.Hole()
	wire.Items(e.Messages, func(value []byte) bool {
		var m wire.Event
		if m.Decode(value) == nil && c.stream.Fill(m.Seq, &g.seen.tally) {
			g.judge(c.room, &m)
		}
		return true
	})
	g.fetch(c, before)
}
