package shard

import (
	"nebula/frame"
	"sync/atomic"
	"time"
)

// Times of the domain.
const (
	ackPatience  = 4500 * time.Millisecond // until a sender is told that its message's fate is unknown
	loadPatience = 4500 * time.Millisecond // until a join of a room that cannot be loaded fails
	loadAgain    = 50 * time.Millisecond
	busyRetry    = 250 * time.Millisecond
	typingEvery  = 3 * time.Second
	never        = int64(1<<63 - 1)
)

// Config is what every shard of a Set needs. Zero values mean the default.
type Config struct {
	Shards    int            // a power of two; default 64
	Epoch     uint64         // of this start
	Epochs    []uint64       // all that were ever opened here, rising, Epoch the last; nil: Epoch only
	Now       func() int64   // Unix ns, steady
	Wall      func() int64   // Unix ms, the time of day that messages bear; nil: Now's
	Busy      func() float64 // share of the time that the loops work; nil: 0
	Grace     time.Duration  // until a lost connection's user has left
	SendBytes int            // an answer has at most half of it; default 1 MiB
	Mailbox   int            // commands that may wait in a shard; default 8192
	KeepRooms bool           // rooms live in memory only: never forget one
}

// counters are written by the shard's turn and read by anybody.
type counters struct {
	liveRooms, members                              atomic.Int64
	unacked                                         atomic.Int64 // acks that wait for a commit
	open                                            atomic.Int64 // rooms with an open turn
	accepted, duplicate, busy, rejected, deliveries atomic.Uint64
}

// Shard is a share of the rooms. It has no goroutine and no lock: whoever runs its
// Runner's turn owns it.
type Shard struct {
	// Static after construction.
	cfg     *Config
	index   int
	journal Journal // nil: every message counts as committed at once
	history History // nil: every room starts empty
	relay   Relay
	delay   *Histogram
	acks    *Histogram

	// Owned by the turn.
	rooms  map[string]*room
	active []*room // rooms with something to do at a time or at the end of the turn
	now    int64

	counters
}

func newShard(cfg *Config, index int, j Journal, h History, relay Relay) *Shard {
	return &Shard{
		cfg: cfg, index: index, journal: j, history: h, relay: relay, rooms: make(map[string]*room),
		delay: NewHistogram(nil), acks: NewHistogram(nil),
	}
}

// Step carries out one command at now (Unix ns).
func (s *Shard) Step(now int64, cmd Command) {
	s.now = now
	m := cmd.Member
	switch cmd.Kind {
	case Join:
		s.join(&cmd)
	case Leave, Gone:
		s.leave(m, cmd.Kind == Leave)
	case committed:
		s.commit(cmd.name, cmd.After)
	case replayed:
		s.replay(cmd.answer)
	default:
		if m.room == nil {
			s.rejected.Add(1)
			s.answerError(m, frame.CodeNotJoined, cmd.Body, 0)
			release(cmd.Body)
			return
		}
		s.inRoom(m, &cmd)
	}
}

func (s *Shard) inRoom(m *Member, cmd *Command) {
	switch cmd.Kind {
	case Say:
		s.say(m, cmd)
	case Users:
		s.users(m, cmd.Offset, cmd.Limit)
	case Page:
		s.page(m, cmd.Before, cmd.Limit)
	case Typing:
		s.typing(m)
	}
}

// activate has Tick and EndTurn look at r.
func (s *Shard) activate(r *room) {
	if !r.active {
		r.active = true
		s.active = append(s.active, r)
	}
}

// EndTurn sends what the turn gathered and does what is due at now. It returns
// when it must be called again, Unix ns; never if nothing waits.
func (s *Shard) EndTurn(now int64) (next int64) {
	s.now = now
	next = never
	hold := int64(0)
	if s.cfg.Busy != nil {
		hold = pace(s.cfg.Busy())
	}
	kept, open := s.active[:0], 0
	for _, r := range s.active {
		due := s.tend(r, hold)
		if len(r.frames) > 0 {
			open++
		}
		if due == never {
			r.active = false
			continue
		}
		next = min(next, due)
		kept = append(kept, r)
	}
	clear(s.active[len(kept):])
	s.active = kept
	s.open.Store(int64(open))
	return next
}

// tend does what r needs now and returns when it needs more.
func (s *Shard) tend(r *room, hold int64) (next int64) {
	next = never
	if r.loading {
		return s.tendLoad(r)
	}
	next = min(next, s.tendLeaving(r), s.tendPresence(r), s.tendPending(r))
	if len(r.frames) > 0 {
		if due := r.sent + hold; due > s.now {
			next = min(next, due)
		} else {
			s.flush(r)
		}
	}
	empty := len(r.members) == 0 && len(r.people.sorted) == 0 && len(r.pending) == 0
	if next == never && empty && (!s.cfg.KeepRooms || r.seq == 0) {
		s.forget(r)
	}
	return next
}

// forget drops a room that nobody is in; its history stays in the database.
func (s *Shard) forget(r *room) {
	r.tail.release()
	delete(s.rooms, r.name)
	s.liveRooms.Add(-1)
}

// send gives one finished Buf to a client and lets go of it.
func send(c *Client, b *frame.Buf) {
	c.Out.Send(b)
	b.Release()
}

func release(b *frame.Buf) {
	if b != nil {
		b.Release()
	}
}

// answerError tells a member that its message or question was not taken.
func (s *Shard) answerError(m *Member, code frame.Code, body *frame.Buf, retry time.Duration) {
	var id []byte
	if body != nil {
		id = body.ID()
	}
	b := frame.Get(256)
	b.B = frame.AppendError(b.B, code, m.name, id, int(retry.Milliseconds()), "")
	send(m.client, b)
}

// Close releases what the rooms hold.
func (s *Shard) Close() {
	for _, r := range s.rooms {
		for _, f := range r.frames {
			f.Release()
		}
		for i := range r.pending {
			r.pending[i].body.Release()
		}
		r.tail.release()
	}
	clear(s.rooms)
	s.active = nil
}
