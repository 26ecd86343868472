package shard

import (
	"cmp"
	"nebula/frame"
)

// half is a message of which only one of two things is known yet: that it has a place,
// or that it is durable. The Journal, which is asked first, may be quicker than the
// mailbox.
type half struct {
	pos     Pos
	durable bool
}

// restored is what a Restored message is known by.
type restored struct {
	room string
	hash uint64
}

// restoring is how many places of it, less notices, were told; a place is its own.
type restoring struct {
	pos  Pos
	open int
}

// order takes a message that has its place.
func (s *Shard) order(cmd *Command) {
	p := placedOf(cmd)
	r := s.rooms[p.Room]
	switch {
	case s.repeated:
		p.Body.Release()
		return
	case p.Restored:
		s.restoring(restored{p.Room, p.Hash}, p.pos(), 1)
	case r == nil:
		s.halve(p.Room, p.pos(), false)
	}
	if r == nil { // History has it
		p.Body.Release()
		return
	}
	s.touch(r)
	if r.loading {
		s.hold(r, p)
		return
	}
	s.take(r, &p)
}

func (p *Placed) pos() Pos { return Pos{p.Epoch, p.Seq} }

// halve notes one of the two things about the newest message of a room that is not in
// memory; whoever makes the room must know what History may not show yet.
func (s *Shard) halve(name string, pos Pos, durable bool) {
	if s.halves == nil {
		return
	}
	switch h, ok := s.halves[name]; {
	case ok && h.pos == pos && h.durable != durable:
		delete(s.halves, name)
	case !ok || pos.above(h.pos):
		s.halves[name] = half{pos, durable}
	}
}

// restoring notes it about a Restored message, which several nodes may have put back:
// open is 1 for a place, -1 for a notice. It returns what was known.
func (s *Shard) restoring(key restored, pos Pos, open int) (before restoring) {
	if s.restores == nil {
		return restoring{}
	}
	before = s.restores[key]
	now := restoring{later(before.pos, pos), before.open + open}
	if now.open == 0 {
		delete(s.restores, key)
	} else {
		s.restores[key] = now
	}
	return before
}

// isRestoring tells whether a Restored message has its place and is not durable yet.
func (s *Shard) isRestoring(room string, hash uint64) bool {
	return len(s.restores) > 0 && s.restores[restored{room, hash}].open > 0
}

// restoresIn tells whether History may not have all Restored messages of r.
func (s *Shard) restoresIn(r *room) bool {
	for key, m := range s.restores {
		if key.room == r.name && m.open > 0 {
			return true
		}
	}
	return false
}

// hold keeps a message until its room is loaded. When too many are held, those of the
// room are dropped, and what History answers must have them.
func (s *Shard) hold(r *room, p Placed) {
	if !p.Restored {
		r.ahead = later(r.ahead, p.pos())
	}
	if s.early < s.cfg.Mailbox {
		s.early++
		r.early = append(r.early, p)
		return
	}
	p.Body.Release()
	s.dropEarly(r)
	r.missed, r.stale = later(r.missed, r.ahead), r.asked
}

func (s *Shard) dropEarly(r *room) {
	for i := range r.early {
		r.early[i].Body.Release()
	}
	s.early -= len(r.early)
	r.early = nil
}

// take brings a message to its place in a room: to everyone, if it is the newest; to
// those who look back, if it is from before; and to nobody, if the room has it.
func (s *Shard) take(r *room, p *Placed) {
	pos := p.pos()
	first, known := Seen{}, false
	if p.Restored {
		first, known = r.window.find(p.Hash)
	}
	switch {
	case known: // its sender may have sent it again meanwhile: then it has that place only
		at := Pos{r.tail.epochOf(first.Seq, p.Body.ID()), first.Seq}
		if at.Epoch != 0 && at != pos && r.tail.remove(pos) {
			s.rejoin(r)
		}
		s.placed(r, p.Hash, at, first.Milli)
	case pos.above(r.last):
		s.append(r, p)
		return
	case p.Restored:
		s.insert(r, p)
		s.placed(r, p.Hash, pos, p.Milli)
		return
	default:
		s.placed(r, p.Hash, pos, p.Milli)
	}
	p.Body.Release()
}

// append adds a room's newest message. One that does not follow on what members saw,
// because the bus lost what was between or had given its seq before, is not shown to
// them like that.
func (s *Shard) append(r *room, p *Placed) {
	follows := p.Seq == r.last.Seq+1
	r.last = p.pos()
	if s.journal == nil || p.Restored && !s.isRestoring(r.name, p.Hash) {
		r.committed = later(r.committed, r.last)
	}
	r.window.add(Seen{Hash: p.Hash, Seq: p.Seq, Milli: p.Milli}, s.time())
	p.Body.Retain(1)
	r.tail.add(p.Body, p.Epoch)
	s.cut(r)
	if !follows {
		s.rejoin(r)
	}
	read := s.placed(r, p.Hash, r.last, p.Milli)
	s.show(r, p.Body, cmp.Or(read, p.Read))
}

// insert adds a message whose place is before the newest.
func (s *Shard) insert(r *room, p *Placed) {
	r.window.add(Seen{Hash: p.Hash, Seq: p.Seq, Milli: p.Milli}, s.time())
	if r.tail.insert(p.Body, p.pos()) {
		s.rejoin(r)
	} else {
		p.Body.Release()
	}
}

// placed turns the wait for a message's place into one for its commit, and returns when
// the first of the senders was read, 0 if none waits here.
func (s *Shard) placed(r *room, hash uint64, pos Pos, milli int64) (read int64) {
	if r.asking == 0 {
		return 0
	}
	restored := s.isRestoring(r.name, hash)
	s.placing.take(ask{r, hash}, func(w *waiter) {
		if read == 0 {
			read = w.at
			s.accepted.Add(1)
		}
		s.unplaced.Add(-1)
		s.acknowledge(r, pendingAck{
			pos: pos, milli: milli, client: w.client, body: w.body, at: w.at, resend: w.resend, restored: restored,
		})
	})
	return read
}

// settle ends the wait for the place of a message that will not come, or not for this
// reason. What has its place and is not known here comes by its entry; the place alone
// is no reason for an ack, since the bus may have lost it since.
func (s *Shard) settle(cmd *Command) {
	r := s.rooms[cmd.name]
	if r == nil || r.asking == 0 {
		return
	}
	if !cmd.HasPos {
		s.placing.take(ask{r, cmd.Hash}, s.giveUp)
		return
	}
	if first, ok := r.window.find(cmd.Hash); ok && !r.loading {
		s.touch(r)
		s.placed(r, cmd.Hash, Pos{r.tail.epochOf(first.Seq, nil), first.Seq}, first.Milli)
	}
}

// settleLoaded ends the wait of those whose messages History has brought.
func (s *Shard) settleLoaded(r *room) {
	p := &s.placing
	for i := p.first; i < len(p.queue) && r.asking > 0; i++ {
		if w := p.queue[i]; w.room == r {
			if first, ok := r.window.find(w.hash); ok {
				s.placed(r, w.hash, Pos{r.tail.epochOf(first.Seq, w.body.ID()), first.Seq}, first.Milli)
			}
		}
	}
}

// entry takes note of an entry whose messages follow. One that was taken before is
// passed over.
func (s *Shard) entry(epoch, n uint64) {
	s.repeated = epoch == s.epoch && n <= s.known
	if s.repeated {
		return
	}
	s.known = n
	if epoch != s.epoch {
		s.epoch = epoch
		s.knowEpoch(epoch)
	}
}

// show adds a message to the room's open turn and takes its reference.
func (s *Shard) show(r *room, body *frame.Buf, read int64) {
	if r.rejoining || len(r.members) == 0 {
		body.Release()
		return
	}
	s.gather(r, body, read)
}
