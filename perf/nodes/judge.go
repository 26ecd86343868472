//go:build linux

package main

import (
	"fmt"
	"nebula/perf/wire"
)

// sampled is how often encoding/json looks at a payload.
const sampled = 64

// event judges one chat message that came to a member.
func (c *crowd) event(m *member, place int32, payload []byte) {
	var e wire.Event
	if err := e.Decode(payload); err != nil {
		c.seen.broken++
		return
	}
	switch e.Kind {
	case wire.KindMessage:
		c.message(m, &e, payload)
	case wire.KindAck:
		c.acked(m, place, &e)
	case wire.KindError:
		c.refused(m, place, &e)
	case wire.KindPresence:
	default:
		c.seen.broken++
	}
}

// message judges a live message.
func (c *crowd) message(m *member, e *wire.Event, payload []byte) {
	n, from, ok := c.number(e.ID)
	due, whole := wire.ReadStamp(e.Text, c.text)
	if !ok || !whole || string(e.Room) != m.room.name || n%sampled == 0 && !wire.Valid(payload) {
		c.seen.broken++
		return
	}
	m.room.head = max(m.room.head, e.Seq)
	c.ledger.Seen(n, m.room.index, e.Seq)
	m.digest = fold(m.digest, n)
	if !m.stream.Take(e.Seq, &c.seen.tally) || !c.plan.during(due) {
		return
	}
	if from == m.node {
		c.seen.same.Record(c.now - due)
	} else {
		c.seen.across.Record(c.now - due)
	}
}

// fold continues a digest of numbers, whose order matters.
func fold(digest, n uint64) uint64 {
	const prime = 1099511628211 // FNV's
	return (digest ^ n) * prime
}

func (c *crowd) acked(m *member, place int32, e *wire.Event) {
	n, _, ok := c.number(e.ID)
	if !ok || string(e.Room) != m.room.name {
		c.seen.broken++
		return
	}
	due, first := c.ledger.Acked(n, place, m.room.index, e.Seq)
	if !first {
		return
	}
	c.answered(m)
	m.room.head = max(m.room.head, e.Seq)
	c.seen.taken++
	if c.plan.during(c.now) {
		c.seen.acked++
	}
	if c.plan.during(due) {
		c.seen.ack.Record(c.now - due)
	}
}

func (c *crowd) refused(m *member, place int32, e *wire.Event) {
	code := string(e.Code)
	c.seen.refused[code]++
	n, _, ok := c.number(e.ID)
	if !ok {
		c.seen.broken++
		return
	}
	c.answered(m)
	if code == "unavailable" || code == "internal" {
		c.ledger.Unsure(n, place, m.room.index)
	} else {
		c.ledger.Refused(n, place, m.room.index)
	}
}

// answered lets a member send one more. An ack may follow an error that left it open.
func (c *crowd) answered(m *member) {
	if m.unacked == c.unacked {
		c.free++
	}
	m.unacked = max(m.unacked-1, 0)
}

// number is what the ledger calls a message, and the node of its sender.
func (c *crowd) number(id []byte) (n uint64, node int32, ok bool) {
	if len(id) < 3 || id[1] != '-' || int(id[0]-'a') >= len(c.prefixes) {
		return 0, 0, false
	}
	n, ok = wire.Uint(id[2:])
	return n, int32(id[0] - 'a'), ok
}

// settled tells whether everything has been answered and has come everywhere.
func (c *crowd) settled() bool {
	return c.ledger.Unanswered() == 0 && c.undelivered() == 0
}

// undelivered is how many messages at the ends of the rooms members have not got.
func (c *crowd) undelivered() (n int) {
	for i := range c.members {
		m := &c.members[i]
		n += int(m.room.head + 1 - min(m.stream.Next(), m.room.head+1))
	}
	return n
}

// disordered is how many members saw something else than the first one of their room.
func (c *crowd) disordered() (n int) {
	first := make([]*member, len(c.rooms))
	for i := range c.members {
		m := &c.members[i]
		if at := &first[m.room.index]; *at == nil {
			*at = m
		} else if m.digest != (*at).digest {
			n++
		}
	}
	return n
}

// faults are the promises that were broken under the load that ended, for people.
func (c *crowd) faults() (all []string) {
	a := c.ledger.Close(func(int32, uint64) bool { return false })
	for _, one := range []struct {
		n    int
		what string
	}{
		{c.seen.tally.Lost + c.undelivered(), "deliveries lost"},
		{c.seen.tally.Doubled, "deliveries doubled"},
		{c.seen.tally.Misordered, "deliveries misordered"},
		{c.disordered(), "members with another order"},
		{a.Missing, "messages not answered"},
		{a.Twice, "messages answered twice"},
		{a.Unknown + a.Late, "answers to nothing"},
		{a.WrongSeq, "acks with another seq than the message"},
		{a.WrongOwner, "answers to another client"},
		{a.Repeated, "messages with two seqs"},
		{c.seen.broken, "events that the protocol does not have"},
	} {
		if one.n > 0 {
			all = append(all, fmt.Sprintf("%d %s", one.n, one.what))
		}
	}
	return all
}
