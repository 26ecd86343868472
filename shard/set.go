package shard

// Set is all shards of a node. Its methods may be called from any goroutine.
type Set struct {
	// Static after construction.
	cfg     Config
	runners []*Runner
}

// NewSet starts the shards. A nil Journal counts every message as durable at
// once, a nil History starts every room empty, a nil Relay orders here.
func NewSet(cfg Config, j Journal, h History, relay Relay) *Set {
	s := &Set{cfg: cfg.withDefaults()}
	for i := range s.cfg.Shards {
		r := newRunner(newShard(&s.cfg, i, j, h, relay))
		s.runners = append(s.runners, r)
		go r.run()
	}
	return s
}

// Shards returns how many there are.
func (s *Set) Shards() int { return len(s.runners) }

// Of returns the shard of a room.
func (s *Set) Of(room string) int { return Partition(room, len(s.runners)) }

// Post puts cmd in the shard's mailbox; Work must follow. It takes cmd.Body; on
// false, which only messages and questions get, the caller keeps it. A Join that
// finds far too many waiting is answered error/busy at once.
func (s *Set) Post(shard int, cmd Command) bool { return s.runners[shard].post(&cmd) }

// Work works the shard's mailbox off, here if nobody else is at it.
func (s *Set) Work(shard int) { s.runners[shard].work() }

// Committed tells what became durable.
func (s *Set) Committed(notices []Notice) {
	for _, n := range notices {
		s.Post(n.Shard, Command{Kind: committed, name: n.Room, Epoch: n.Epoch, After: n.Seq, Hash: n.Hash})
	}
	for _, n := range notices {
		s.Work(n.Shard)
	}
}

// Replayed brings an answer of History; the Set owns its messages from here on.
func (s *Set) Replayed(a Answer) {
	s.Post(a.Shard, Command{Kind: replayed, answer: &a})
	s.Work(a.Shard)
}

// Pending counts what a drain has to wait for: commands in mailboxes and before cold
// rooms, open turns, and messages that wait for their place or whose acks wait for a
// commit.
func (s *Set) Pending() int {
	n := 0
	for _, r := range s.runners {
		r.mu.Lock()
		n += len(r.box)
		if r.running {
			n++
		}
		r.mu.Unlock()
		n += int(r.shard.held.Load() + r.shard.open.Load() + r.shard.unplaced.Load() + r.shard.unacked.Load())
	}
	return n
}

// Stats are the sums over all shards.
type Stats struct {
	Rooms, Members                                  int64
	Accepted, Duplicate, Busy, Rejected, Deliveries uint64
	Queue                                           []int      // commands waiting, by shard
	Delivery, Ack                                   *Histogram // seconds from the message read
}

// Stats returns the counters.
func (s *Set) Stats() Stats {
	sum := Stats{Delivery: NewHistogram(nil), Ack: NewHistogram(nil)}
	for _, r := range s.runners {
		sum.Delivery.add(r.shard.delay)
		sum.Ack.add(r.shard.acks)
		c := &r.shard.counters
		sum.Rooms += c.liveRooms.Load()
		sum.Members += c.members.Load()
		sum.Accepted += c.accepted.Load()
		sum.Duplicate += c.duplicate.Load()
		sum.Busy += c.busy.Load()
		sum.Rejected += c.rejected.Load()
		sum.Deliveries += c.deliveries.Load()
		r.mu.Lock()
		sum.Queue = append(sum.Queue, len(r.box))
		r.mu.Unlock()
	}
	return sum
}

// Close ends the shards' goroutines and releases everything. Who still posts is
// refused.
func (s *Set) Close() {
	for _, r := range s.runners {
		r.close()
	}
}
