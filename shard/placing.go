package shard

import "nebula/frame"

// placingKeep is how much of the queue stays when it is empty.
const placingKeep = 1024

// ask is what a message that waits for its place is known by.
type ask struct {
	room *room
	hash uint64
}

// asked is how many wait under one ask.
type asked struct {
	count int
	since int64 // Unix ns when the Relay was given it last
}

// waiter is one who waits for a message's place.
type waiter struct {
	ask
	client *Client
	body   *frame.Buf // for its id; a reference; nil: it does not wait any more
	at     int64      // Unix ns when it was read; stays, for the order of the queue
	resend bool       // of one that waits; counted in Shard.resends
}

// placing is the senders of messages that the Relay has, and has not told of yet. Places
// come in the order in which they were asked for, but for failures: whom a place is for
// is nearly always the first in the queue.
type placing struct {
	queue []waiter // by at
	first int      // what is before it waits no more
	asks  map[ask]asked
}

// add has w wait; published: the Relay was given it, at now.
func (p *placing) add(w waiter, published bool, now int64) {
	if p.asks == nil {
		p.asks = make(map[ask]asked)
	}
	a := p.asks[w.ask]
	a.count++
	if published {
		a.since = now
	}
	p.asks[w.ask] = a
	w.room.asking++
	p.queue = append(p.queue, w)
	// One that waited for its room to load comes after younger ones.
	for i := len(p.queue) - 1; i > p.first && p.queue[i-1].at > w.at; i-- {
		p.queue[i], p.queue[i-1] = p.queue[i-1], p.queue[i]
	}
}

// take ends the wait of all under a, and gives each to use, with its body.
func (p *placing) take(a ask, use func(*waiter)) {
	left := p.asks[a].count
	if left == 0 {
		return
	}
	delete(p.asks, a)
	for i := p.first; left > 0; i++ {
		if w := &p.queue[i]; w.body != nil && w.ask == a {
			left--
			a.room.asking--
			use(w)
			*w = waiter{at: w.at}
		}
	}
	p.trim()
}

// expire ends the wait of those who were read until then.
func (p *placing) expire(then int64, use func(*waiter)) {
	for ; p.first < len(p.queue); p.first++ {
		w := &p.queue[p.first]
		if w.body == nil {
			continue
		}
		if w.at > then {
			break
		}
		a := p.asks[w.ask]
		if a.count--; a.count == 0 {
			delete(p.asks, w.ask)
		} else {
			p.asks[w.ask] = a
		}
		w.room.asking--
		use(w)
		*w = waiter{at: w.at}
	}
	p.trim()
}

// trim lets go of the queue's beginning, a copy of the rest for as many that went.
func (p *placing) trim() {
	for p.first < len(p.queue) && p.queue[p.first].body == nil {
		p.first++
	}
	switch {
	case p.first == len(p.queue) && cap(p.queue) > placingKeep:
		p.queue, p.first, p.asks = nil, 0, nil
	case p.first == len(p.queue) || p.first > placingKeep/2 && p.first > len(p.queue)/2:
		n := copy(p.queue, p.queue[p.first:])
		clear(p.queue[n:])
		p.queue, p.first = p.queue[:n], 0
	}
}

// due returns when the first of those who wait will have waited too long; never: nobody
// waits.
func (p *placing) due() int64 {
	if p.first == len(p.queue) {
		return never
	}
	return p.queue[p.first].at + int64(ackPatience)
}

// publish has the Relay give a message its place, unless somebody waits for the same one
// already. here: this shard is to order it. Else its sender waits, or was refused.
func (s *Shard) publish(m *Member, cmd *Command) (here bool) {
	r := m.room
	a := ask{r, cmd.Hash}
	before := s.placing.asks[a]
	if s.placing.waiting() >= s.cfg.Mailbox || before.count > 0 && s.resends >= s.cfg.Mailbox {
		s.refuse(m, cmd.Body, frame.CodeBusy, busyRetry)
		return false
	}
	// What was given to the Relay too long ago is given again, should it have been lost.
	publish := before.count == 0 || s.now-before.since >= int64(ackPatience)
	if publish {
		switch s.relay.Publish(Envelope{
			Shard: s.index, Room: r.name, Hash: cmd.Hash, User: frame.User{ID: m.client.User, Name: m.client.Name},
			Body: cmd.Body, Floor: r.last.Seq, Known: s.known,
		}) {
		case Here:
			return true
		case Full:
			s.refuse(m, cmd.Body, frame.CodeBusy, busyRetry)
			return false
		case Refused:
			s.refuse(m, cmd.Body, frame.CodeUnavailable, busyRetry)
			return false
		}
	}
	resend := before.count > 0
	if resend {
		s.resends++
		s.duplicate.Add(1)
	}
	s.placing.add(waiter{ask: a, client: m.client, body: cmd.Body, at: cmd.Read, resend: resend}, publish, s.now)
	s.unplaced.Add(1)
	return false
}

// waiting is at least how many wait.
func (p *placing) waiting() int { return len(p.queue) - p.first }

// giveUp tells one whose message's fate nobody knows; it resends the same id.
func (s *Shard) giveUp(w *waiter) {
	if w.resend {
		s.resends--
	}
	s.unplaced.Add(-1)
	s.touch(w.room)
	b := frame.Get(256)
	b.B = frame.AppendError(b.B, frame.CodeUnavailable, w.room.name, w.body.ID(), int(busyRetry.Milliseconds()), "")
	send(w.client, b)
	w.body.Release()
}

// tendPlacing gives up those who have waited too long.
func (s *Shard) tendPlacing() {
	if s.placing.due() <= s.now {
		s.placing.expire(s.now-int64(ackPatience), s.giveUp)
	}
}
