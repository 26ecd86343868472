//go:build linux

package load

import (
	"bytes"
	"nebula/perf/wire"
	"strconv"
)

// sampled is how often encoding/json looks at a payload that is not a new message.
const sampled = 64

// mostSpread bounds what a goodbye may ask for, milliseconds.
const mostSpread = 10_000

// smallRoom is up to how many people a room is told changes at once; protocol section 5.
const smallRoom = 200

// event judges one chat message; raw is its frame.
func (g *Generator) event(c *client, payload, raw []byte) {
	var e wire.Event
	if err := e.Decode(payload); err != nil {
		g.seen.faults.Events++
		return
	}
	if g.seen.judged++; g.seen.judged%sampled == 0 && !wire.Valid(payload) {
		g.seen.faults.Events++
	}
	if (c.state == greeting) != (e.Kind == wire.KindWelcome) {
		g.seen.faults.Events++ // welcome is the first message, and only that
		return
	}
	switch e.Kind {
	case wire.KindWelcome:
		g.welcomed(c)
	case wire.KindMessage:
		g.message(c, &e, payload, raw)
	case wire.KindAck:
		g.acked(c, &e)
	case wire.KindError:
		g.refused(c, &e)
	case wire.KindJoined:
		g.joined(c, &e)
	case wire.KindHistory:
		g.history(c, &e)
	case wire.KindPresence:
		g.seen.presence++
		g.quietAt = g.now
		if e.Count > smallRoom {
			c.presence++
		}
		c.count = e.Count
	case wire.KindGoodbye:
		c.spread = int64(min(e.RetryMS, mostSpread)) * millisecond
	}
}

// message judges a live message that its room does not know, or not so.
func (g *Generator) message(c *client, e *wire.Event, payload, raw []byte) {
	if c.state != joined || string(e.Room) != c.room.name {
		g.seen.faults.Early++
		return
	}
	r := c.room
	r.head = max(r.head, e.Seq)
	if !c.stream.Take(e.Seq, &g.seen.tally) {
		return
	}
	k := r.at(e.Seq)
	if k.seq == e.Seq && !k.same(e, raw) {
		g.seen.faults.Split++
	}
	if k.seq < e.Seq {
		if !wire.Valid(payload) {
			g.seen.faults.Events++
		}
		g.learn(r, k, e, raw)
	}
	if k.seq == e.Seq {
		g.delivered(c, k)
		return
	}
	g.old(c, e)
}

// learn keeps a message that came to the first member.
func (g *Generator) learn(r *room, k *known, e *wire.Event, raw []byte) {
	k.seq, k.due, k.measured, k.got, k.want = e.Seq, 0, false, 0, r.ready
	if k.frame = k.frame[:0]; len(raw) <= maxKnown {
		k.frame = append(k.frame, raw...)
	}
	k.due, k.measured = g.judge(r, e)
}

// same reports whether an event is the message that is known; a server may write it in another way.
func (k *known) same(e *wire.Event, raw []byte) bool {
	if len(k.frame) == 0 || bytes.Equal(k.frame, raw) {
		return true
	}
	f, err := wire.Next(k.frame)
	var kept wire.Event
	return err == nil && kept.Decode(f.Payload) == nil && bytes.Equal(kept.ID, e.ID) &&
		bytes.Equal(kept.User, e.User) && bytes.Equal(kept.Text, e.Text) && kept.Time == e.Time
}

// judge looks at who sent a message and when it was due; measured is false for
// one of others or outside the window.
func (g *Generator) judge(r *room, e *wire.Event) (due int64, measured bool) {
	due, ours := g.stamp(e)
	if !ours {
		return 0, false
	}
	if n, own := g.number(e.ID); own {
		g.ledger.Seen(n, r.index, e.Seq)
	}
	return due, due >= g.step.windowStart() && due < g.step.windowEnd()
}

// stamp reads the due time of a message of this run.
func (g *Generator) stamp(e *wire.Event) (due int64, ours bool) {
	if !bytes.HasPrefix(e.ID, []byte(g.cfg.Run)) {
		g.seen.foreign++
		return 0, false
	}
	due, ok := wire.ReadStamp(e.Text, g.cfg.Text)
	if !ok {
		g.seen.faults.Texts++
	}
	return due, ok
}

// number is the ledger's number in an id of this worker.
func (g *Generator) number(id []byte) (n uint64, own bool) {
	if len(id) <= len(g.idPrefix) || string(id[:len(g.idPrefix)]) != g.idPrefix {
		return 0, false
	}
	return wire.Uint(id[len(g.idPrefix):])
}

// old counts a message so far behind that its room has forgotten it.
func (g *Generator) old(c *client, e *wire.Event) {
	g.seen.deliveries++
	if due, measured := g.judge(c.room, e); measured && !c.slow {
		g.seen.latency.Record(g.now - due)
	}
}

func (g *Generator) acked(c *client, e *wire.Event) {
	n, own := g.number(e.ID)
	if !own || c.room == nil || string(e.Room) != c.room.name {
		g.seen.faults.Events++
		return
	}
	due, ok := g.ledger.Acked(n, c.place, c.room.index, e.Seq)
	if !ok {
		return
	}
	c.room.head = max(c.room.head, e.Seq)
	c.room.acked = max(c.room.acked, e.Seq)
	if due >= g.step.windowStart() && due < g.step.windowEnd() {
		g.seen.acks.Record(g.now - due)
	}
}

func (g *Generator) refused(c *client, e *wire.Event) {
	g.seen.errors.add(e.Code)
	n, own := g.number(e.ID)
	switch code := string(e.Code); {
	case own && c.room != nil && (code == "unavailable" || code == "internal"):
		g.ledger.Unsure(n, c.place, c.room.index)
	case own && c.room != nil:
		g.ledger.Refused(n, c.place, c.room.index)
	case c.state == joining: // the join was refused: try again as another connection would
		g.end(c, "join refused: "+strconv.Quote(string(e.Code)))
	case c.asking:
		c.asking = false
	}
}
