package shard

import (
	"nebula/frame"
)

// maxTurnBytes is where a room's open turn is sent at once.
const maxTurnBytes = 64 << 10

// pendingAck is a message, or a resend of one, whose ack waits for the commit.
type pendingAck struct {
	seq    uint64
	milli  int64
	client *Client
	body   *frame.Buf // for its id; a reference
	at     int64      // Unix ns when it was read
	told   bool       // answered error/internal meanwhile
}

// say gives a message its place: dedupe, journal, seq, everyone.
func (s *Shard) say(m *Member, cmd *Command) {
	r := m.room
	s.activate(r)
	ack := pendingAck{client: m.client, body: cmd.Body, at: cmd.Read}
	if first, ok := r.window.find(cmd.Hash); ok {
		s.duplicate.Add(1)
		ack.seq, ack.milli = first.Seq, first.Milli
		s.acknowledge(r, ack)
		return
	}
	if s.relay.Publish(Envelope{Room: r.name, Hash: cmd.Hash, Body: cmd.Body}) == Refused {
		s.answerError(m, frame.CodeUnavailable, cmd.Body, busyRetry)
		cmd.Body.Release()
		return
	}
	seq, milli := r.seq+1, s.milli()
	cmd.Body.Stamp(seq, milli)
	if s.journal != nil {
		cmd.Body.Retain(1)
		if !s.journal.Append(Record{
			Shard: s.index, Room: r.name, Epoch: s.cfg.Epoch, Seq: seq, Milli: milli, Hash: cmd.Hash,
			User: m.client.User, Name: m.client.Name, Body: cmd.Body,
		}) {
			s.busy.Add(1)
			s.answerError(m, frame.CodeBusy, cmd.Body, busyRetry)
			cmd.Body.Release()
			cmd.Body.Release()
			return
		}
	} else {
		r.committed = seq
	}
	s.accepted.Add(1)
	r.seq = seq
	r.window.add(Seen{Hash: cmd.Hash, Seq: seq, Milli: milli}, milli)
	cmd.Body.Retain(2)
	r.tail.add(cmd.Body, s.cfg.Epoch)
	keep := tailKeep
	if s.history == nil {
		keep = dedupeKeep // there is no other place to read from
	}
	r.tail.cut(keep, r.committed)
	s.gather(r, cmd.Body, cmd.Read)
	ack.seq, ack.milli = seq, milli
	s.acknowledge(r, ack)
}

// milli is the time of day that a message gets, Unix ms.
func (s *Shard) milli() int64 {
	if s.cfg.Wall != nil {
		return s.cfg.Wall()
	}
	return s.now / 1e6
}

// acknowledge sends the ack if the message is durable, else keeps it until it is.
func (s *Shard) acknowledge(r *room, ack pendingAck) {
	if ack.seq > r.committed {
		r.pending = append(r.pending, ack)
		s.unacked.Add(1)
		return
	}
	b := frame.Get(256)
	b.B = frame.AppendAck(b.B, r.name, ack.body.ID(), ack.seq, ack.milli)
	send(ack.client, b)
	ack.body.Release()
	s.acks.Observe(float64(s.now-ack.at)/1e9, 1)
}

// commit acks everything of the room up to seq; acks in a row to one client leave
// in one send.
func (s *Shard) commit(name string, seq uint64) {
	r := s.rooms[name]
	if r == nil {
		return
	}
	s.activate(r)
	r.committed = max(r.committed, seq)
	var b *frame.Buf
	var to *Client
	kept := r.pending[:0]
	for i := range r.pending {
		p := r.pending[i]
		if p.seq > r.committed {
			kept = append(kept, p)
			continue
		}
		if b != nil && to != p.client {
			send(to, b)
			b = nil
		}
		if b == nil {
			b, to = frame.Get(256), p.client
		}
		b.B = frame.AppendAck(b.B, r.name, p.body.ID(), p.seq, p.milli)
		p.body.Release()
		s.acks.Observe(float64(s.now-p.at)/1e9, 1)
	}
	s.unacked.Add(int64(len(kept) - len(r.pending)))
	clear(r.pending[len(kept):])
	r.pending = kept
	if len(kept) == 0 {
		r.pending = nil // a stalled disk's queue is not kept
	}
	if b != nil {
		send(to, b)
	}
}

// tendPending tells the senders whose messages were not committed in time that
// nobody knows; they resend the same id.
func (s *Shard) tendPending(r *room) int64 {
	next := never
	for i := range r.pending {
		p := &r.pending[i]
		due := p.at + int64(ackPatience)
		switch {
		case p.told:
		case due > s.now:
			return min(next, due) // in order of arrival
		default:
			p.told = true
			b := frame.Get(256)
			b.B = frame.AppendError(b.B, frame.CodeInternal, r.name, p.body.ID(), int(busyRetry.Milliseconds()), "")
			send(p.client, b)
		}
	}
	return next
}

// gather adds one frame to the room's open turn and takes its reference; read is
// when the message in it was read, 0 if it is none.
func (s *Shard) gather(r *room, b *frame.Buf, read int64) {
	s.activate(r)
	r.frames = append(r.frames, b)
	r.size += len(b.Bytes())
	if read != 0 {
		r.reads = append(r.reads, read)
	}
	if r.size > maxTurnBytes {
		s.flush(r)
	}
}
