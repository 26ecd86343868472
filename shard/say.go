package shard

import "nebula/frame"

const (
	maxTurnBytes = 64 << 10 // a room's open turn, and acks in a row, are sent at once from here on
	pendingKeep  = 64       // of a room's queue of acks, how much stays when it is empty
	ackBytes     = 128      // more than an ack has besides the names of its room and its id
)

// pendingAck is a message, or a resend of one, whose ack waits for the commit.
type pendingAck struct {
	pos      Pos
	milli    int64
	client   *Client
	body     *frame.Buf // for its id; a reference
	at       int64      // Unix ns when it was read
	resend   bool       // counted in Shard.resends
	restored bool       // Shard.restores has it: it waits for a commit of its own
}

// say gives a message its place: dedupe, journal, seq, everyone. In a cluster the Relay
// has a say first, and order does the rest.
func (s *Shard) say(m *Member, cmd *Command) {
	r := m.room
	s.touch(r)
	if first, ok := r.window.find(cmd.Hash); ok {
		s.sayAgain(m, cmd, first)
		return
	}
	if s.relay != nil && !s.publish(m, cmd) {
		return
	}
	seq, milli := r.last.Seq+1, s.time()
	cmd.Body.Stamp(seq, milli)
	if !s.write(m, cmd, seq, milli) {
		s.refuse(m, cmd.Body, frame.CodeBusy, busyRetry)
		return
	}
	s.accepted.Add(1)
	r.last = Pos{s.epoch, seq}
	r.window.add(Seen{Hash: cmd.Hash, Seq: seq, Milli: milli}, milli)
	cmd.Body.Retain(2)
	r.tail.add(cmd.Body, s.epoch)
	s.cut(r)
	s.show(r, cmd.Body, cmd.Read)
	s.acknowledge(r, pendingAck{pos: r.last, milli: milli, client: m.client, body: cmd.Body, at: cmd.Read})
}

// cut drops from the tail what need not be in memory.
func (s *Shard) cut(r *room) {
	if s.history != nil {
		r.tail.cut(tailKeep, r.committed, true)
	} else {
		r.tail.cut(memoryKeep, r.committed, false)
	}
}

// write gives the message to the journal; without one it is as good as committed.
func (s *Shard) write(m *Member, cmd *Command, seq uint64, milli int64) bool {
	if s.journal == nil {
		m.room.committed = Pos{s.epoch, seq}
		return true
	}
	cmd.Body.Retain(1)
	if s.journal.Append(Record{
		Shard: s.index, Room: m.room.name, Epoch: s.epoch, Seq: seq, Milli: milli, Hash: cmd.Hash,
		User: m.client.User, Name: m.client.Name, Body: cmd.Body,
	}) {
		return true
	}
	cmd.Body.Release()
	return false
}

// sayAgain acks a message that was taken before. While the first one is not
// committed its resends wait with it, no more of them than a mailbox holds.
func (s *Shard) sayAgain(m *Member, cmd *Command, first Seen) {
	r := m.room
	ack := pendingAck{
		pos: Pos{r.tail.epochOf(first.Seq, cmd.Body.ID()), first.Seq}, milli: first.Milli, client: m.client, body: cmd.Body, at: cmd.Read,
		restored: s.isRestoring(r.name, cmd.Hash),
	}
	if ack.waits(r.committed) {
		if s.resends >= s.cfg.Mailbox {
			s.refuse(m, cmd.Body, frame.CodeBusy, busyRetry)
			return
		}
		s.resends++
		ack.resend = true
	}
	s.duplicate.Add(1)
	s.acknowledge(r, ack)
}

// waits tells whether the message is not durable yet.
func (p *pendingAck) waits(durable Pos) bool { return p.restored || p.pos.above(durable) }

// acknowledge sends the ack if the message is durable, else keeps it until it is.
func (s *Shard) acknowledge(r *room, ack pendingAck) {
	if ack.waits(r.committed) {
		s.unacked.Add(1)
		r.pending = append(r.pending, ack)
		// One that waited for its room to load, or for its place, comes after younger ones.
		for i := len(r.pending) - 1; i > r.late && r.pending[i-1].at > ack.at; i-- {
			r.pending[i], r.pending[i-1] = r.pending[i-1], r.pending[i]
		}
		return
	}
	b := frame.Get(ackBytes + len(r.name) + len(ack.body.ID()))
	b.B = frame.AppendAck(b.B, r.name, ack.body.ID(), ack.pos.Seq, ack.milli)
	send(ack.client, b)
	s.acked(&ack)
}

// acked lets go of what was acked.
func (s *Shard) acked(ack *pendingAck) {
	if ack.resend {
		s.resends--
	}
	ack.body.Release()
	s.acks.Observe(float64(s.now-ack.at)/1e9, 1)
}

// commit takes a Notice.
func (s *Shard) commit(cmd *Command) {
	r, pos := s.rooms[cmd.name], Pos{cmd.Epoch, cmd.After}
	switch {
	case cmd.Hash != 0:
		s.commitRestored(cmd.name, cmd.Hash)
	case r == nil:
		s.halve(cmd.name, pos, true)
	case pos.above(r.committed):
		s.touch(r)
		r.committed = pos
		s.ackUpTo(r, pos)
	}
}

// commitRestored takes a Notice about a Restored message. What was given to the Journal
// before is durable too.
func (s *Shard) commitRestored(name string, hash uint64) {
	r, h := s.rooms[name], s.restoring(restored{name, hash}, Pos{}, -1)
	if r == nil || h.open <= 0 { // or its entry is still to come
		return
	}
	s.touch(r)
	for i := range r.pending {
		if p := &r.pending[i]; p.pos == h.pos {
			p.restored = false
		}
	}
	if !r.loading && !r.last.above(h.pos) {
		r.committed = later(r.committed, h.pos)
	}
	s.ackUpTo(r, r.committed)
}

// ackUpTo acks what is durable when everything of the room up to pos is; acks in a row
// to one client leave in one send.
func (s *Shard) ackUpTo(r *room, pos Pos) {
	var b *frame.Buf
	var to *Client
	kept, late := r.pending[:0], 0
	for i := range r.pending {
		p := &r.pending[i]
		if p.waits(pos) {
			if i < r.late {
				late++
			}
			kept = append(kept, *p)
			continue
		}
		if b != nil && (to != p.client || len(b.B) > maxTurnBytes) {
			send(to, b)
			b = nil
		}
		if b == nil {
			b, to = frame.Get(rowBytes(r.pending[i:], pos, len(r.name))), p.client
		}
		b.B = frame.AppendAck(b.B, r.name, p.body.ID(), p.pos.Seq, p.milli)
		s.acked(p)
	}
	if b != nil {
		send(to, b)
	}
	s.keepPending(r, kept, late)
}

// rowBytes is how much the acks up to pos take that may leave in one send with the
// first one. A Buf that had to grow would come back to another pool than it is from.
func rowBytes(pending []pendingAck, pos Pos, nameBytes int) (n int) {
	for i := range pending {
		p := &pending[i]
		if p.client != pending[0].client || n > maxTurnBytes {
			break
		}
		if !p.waits(pos) {
			n += ackBytes + nameBytes + len(p.body.ID())
		}
	}
	return n
}

// keepPending leaves r with what is not committed yet, late of which were answered.
func (s *Shard) keepPending(r *room, kept []pendingAck, late int) {
	s.unacked.Add(int64(len(kept) - len(r.pending)))
	clear(r.pending[len(kept):])
	r.pending, r.late = kept, late
	if len(kept) == 0 && cap(kept) > pendingKeep {
		r.pending = nil // a stalled disk's queue is not kept
	}
}

// tendPending tells the senders whose messages were not committed in time that
// nobody knows; they resend the same id.
func (s *Shard) tendPending(r *room) int64 {
	for ; r.late < len(r.pending); r.late++ {
		p := &r.pending[r.late]
		if due := p.at + int64(ackPatience); due > s.now {
			return due
		}
		b := frame.Get(256)
		b.B = frame.AppendError(b.B, frame.CodeInternal, r.name, p.body.ID(), int(busyRetry.Milliseconds()), "")
		send(p.client, b)
	}
	return never
}

// gather adds one frame to the room's open turn and takes its reference; read is
// when the message in it was read, 0 if it is none.
func (s *Shard) gather(r *room, b *frame.Buf, read int64) {
	s.touch(r)
	if len(r.frames) == 0 {
		s.opened++
	}
	r.frames = append(r.frames, b)
	r.size += len(b.Bytes())
	if read != 0 {
		r.reads = append(r.reads, read)
	}
	if r.size > maxTurnBytes {
		s.flush(r)
	}
}
