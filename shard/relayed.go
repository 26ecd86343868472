package shard

import "nebula/frame"

// What the Relay's other end tells a Set. It may be any goroutine, but what belongs to
// one shard is taken in the order in which it is told. Nothing of it is refused: the
// Journal, which is asked first, holds back a bus that is too fast.

// Order brings the next entry of a shard's log. Its messages were given to the Journal
// before. The references to their bodies move to the Set; the slice is read until
// Order returns. What the shard has taken already does no harm.
func (s *Set) Order(shard int, o Ordered) {
	r := s.runners[shard]
	r.postEntry(&o)
	r.work()
}

// postEntry puts an entry in the mailbox in one piece.
func (r *Runner) postEntry(o *Ordered) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		for i := range o.Messages {
			o.Messages[i].Body.Release()
		}
		return
	}
	r.box = append(r.box, Command{Kind: entry, Epoch: o.Epoch, After: o.N})
	for i := range o.Messages {
		r.box = append(r.box, orderedCommand(&o.Messages[i]))
	}
}

// orderedCommand packs a message that has its place; placedOf unpacks it.
func orderedCommand(p *Placed) Command {
	return Command{
		Kind: ordered, name: p.Room, Epoch: p.Epoch, After: p.Seq, Before: uint64(p.Milli), Hash: p.Hash,
		Body: p.Body, Read: p.Read, HasPos: p.Restored,
	}
}

func placedOf(cmd *Command) Placed {
	return Placed{
		Room: cmd.name, Epoch: cmd.Epoch, Seq: cmd.After, Milli: int64(cmd.Before), Hash: cmd.Hash,
		Body: cmd.Body, Read: cmd.Read, Restored: cmd.HasPos,
	}
}

// Settle tells what became of a message that the Relay took and that may not come by
// Order. known: it has been in the log for a while, at seq and milli. Else nobody knows;
// it may come all the same.
func (s *Set) Settle(shard int, room string, hash uint64, known bool, seq uint64, milli int64) {
	s.tell(shard, Command{Kind: settled, name: room, Hash: hash, HasPos: known, After: seq, Before: uint64(milli)})
}

// Elsewhere tells that a user is, or is no longer, in a room on any other node. To tell
// it twice does no harm.
func (s *Set) Elsewhere(shard int, room string, user frame.User, here bool) {
	s.tell(shard, Command{Kind: elsewhere, Member: stranger(room, user), HasPos: here})
}

// TypingElsewhere tells that a user types on another node.
func (s *Set) TypingElsewhere(shard int, room string, user frame.User) {
	s.tell(shard, Command{Kind: typing, Member: stranger(room, user)})
}

// Reload has a shard's rooms loaded again, because what it was told is not what History
// has now, or not part of the log any more; their members are answered joined anew. The
// log goes on after the entry known.
func (s *Set) Reload(shard int, known uint64) { s.tell(shard, Command{Kind: reload, After: known}) }

func (s *Set) tell(shard int, cmd Command) {
	s.Post(shard, cmd)
	s.Work(shard)
}

// stranger stands for somebody who is in a room on another node.
func stranger(room string, user frame.User) *Member {
	return NewMember(&Client{User: user.ID, Name: user.Name}, room)
}
