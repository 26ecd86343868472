//go:build linux

package load

import "nebula/perf/meter"

// Step runs one plan, whose Start should lie a little in the future.
func (g *Generator) Step(p Plan) (*Report, error) {
	g.begin(p)
	if _, err := g.run(p.windowStart(), nil); err != nil {
		return nil, err
	}
	from, err := g.mark()
	if err != nil {
		return nil, err
	}
	if _, err := g.run(p.windowEnd(), nil); err != nil {
		return nil, err
	}
	to, err := g.mark()
	if err != nil {
		return nil, err
	}
	if _, err := g.run(p.windowEnd()+p.Drain, g.settled); err != nil {
		return nil, err
	}
	return g.report(from, to), nil
}

func (g *Generator) begin(p Plan) {
	g.step, g.k, g.storm = p, 0, 0
	g.seen = sight{errors: g.seen.errors[:0], closed: g.seen.closed[:0]}
	g.ledger.Open(int(p.messages()))
	for i := range g.rooms {
		for j := range g.rooms[i].ring {
			g.rooms[i].ring[j].measured = false // what comes late belongs to no window
		}
	}
}

// mark is where the counters stand.
type mark struct {
	at, waited, cpu             int64
	deliveries, presence, reads int
	bytes                       int64
}

func (g *Generator) mark() (mark, error) {
	used, err := meter.Process(0).CPU()
	return mark{
		at: g.clock.Now(), waited: g.waited, cpu: int64(used.Total),
		deliveries: g.seen.deliveries, presence: g.seen.presence, reads: g.seen.reads, bytes: g.seen.bytes,
	}, err
}

// settled tells whether everything that was sent has come everywhere and been
// answered, and everybody who was thrown out is back.
func (g *Generator) settled() bool {
	if g.k < g.step.messages() || g.ledger.Unanswered() > 0 && !g.onlyCutOpen() || g.sleeping {
		return false
	}
	if g.cfg.Resume && g.arrived < len(g.clients) {
		return false
	}
	for i := range g.clients {
		c := &g.clients[i]
		switch {
		case c.state == joining || c.asking || len(c.out) > 0:
			return false
		case c.state == joined && c.stream.Next() <= c.room.head:
			return false
		}
	}
	return true
}

// onlyCutOpen tells whether every message without an answer went with a connection.
func (g *Generator) onlyCutOpen() bool {
	missing := 0
	g.ledger.Each(func(client int32, n uint64) {
		if !g.wasCut(client, n) {
			missing++
		}
	})
	return missing == 0
}

func (g *Generator) wasCut(client int32, n uint64) bool { return n < g.clients[client].cut }

func (g *Generator) report(from, to mark) *Report {
	s := &g.seen
	r := &Report{
		Seconds: float64(to.at-from.at) / float64(second), Planned: int(g.step.messages()),
		Skipped: s.skipped, Published: s.published, Deliveries: to.deliveries - from.deliveries,
		Bytes: to.bytes - from.bytes, Reads: to.reads - from.reads, Presence: to.presence - from.presence,
		Foreign: s.foreign, Blocked: s.blocked, Tally: s.tally, Answers: g.ledger.Close(g.wasCut),
		Faults: s.faults, Errors: s.errors.counts(), Closed: s.closed.counts(), Back: s.back,
		Rewound: s.rewound, Rooms: g.views(),
		Latency: s.latency, Last: s.last, Acks: s.acks, Lateness: s.lateness, BackTime: s.backTime,
		CPU: to.cpu - from.cpu,
	}
	if to.at > from.at {
		r.Busy = 1 - float64(to.waited-from.waited)/float64(to.at-from.at)
	}
	for i := range g.clients {
		if !g.clients[i].here {
			r.Gone++
		}
	}
	if g.step.Storm {
		r.Storm = g.stormed()
	}
	return r
}

func (g *Generator) views() []RoomView {
	views := make([]RoomView, len(g.rooms))
	for i := range views {
		views[i] = RoomView{Room: i, Head: g.rooms[i].head}
	}
	for i := range g.clients {
		if c := &g.clients[i]; c.state == joined {
			views[c.room.index].Members++
			views[c.room.index].Sum += c.stream.Next() - 1
		}
	}
	return views
}

// stormed judges what each client saw of a storm.
func (g *Generator) stormed() *Storm {
	s := &Storm{JoinTime: g.seen.joinTime}
	for i := range g.clients {
		c := &g.clients[i]
		if c.state != joined {
			continue
		}
		s.Joined++
		s.MostFrames = max(s.MostFrames, c.presence)
		if int64(c.presence) > (g.now-c.joinedAt)/second+1 {
			s.TooMany++
		}
		if c.count != uint64(g.cfg.Total) {
			s.WrongCounts++
		}
	}
	return s
}
