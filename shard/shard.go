package shard

import (
	"container/list"
	"nebula/frame"
	"slices"
	"sync/atomic"
	"time"
)

// Times of the domain.
const (
	ackPatience  = 4500 * time.Millisecond // until a sender is told that its message's fate is unknown
	loadPatience = 4500 * time.Millisecond // until a join of a room that cannot be loaded fails
	pagePatience = 4500 * time.Millisecond // until a question that History does not answer fails
	loadAgain    = 50 * time.Millisecond
	busyRetry    = 250 * time.Millisecond
	typingEvery  = 3 * time.Second
	never        = int64(1<<63 - 1)
)

// counters are written by the shard's turn and read by anybody.
type counters struct {
	liveRooms, members                              atomic.Int64
	unplaced                                        atomic.Int64 // messages that wait for their place
	unacked                                         atomic.Int64 // acks that wait for a commit
	held                                            atomic.Int64 // commands that wait for their room to load
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
	relay   Relay   // nil: this shard orders, and nobody is elsewhere
	delay   *Histogram
	acks    *Histogram

	// Owned by the turn.
	rooms     map[string]*room
	touched   []*room // to be tended at the end of the turn
	timers    timers
	questions []*question // to History, by time
	resends   int         // of unplaced and unacked: those that are resends
	kept      list.List   // rooms that nobody is in (KeepRooms), longest empty first
	floor     uint64      // a room starts above it: no seq of one that was not kept comes again
	opened    int         // rooms with an open turn
	now       int64       // of the command, Unix ns
	wall      int64       // of the turn, Unix ms; 0: not asked yet

	// The log of the bus, as far as it was taken; also owned by the turn.
	epoch    uint64   // of the newest entry; without a cluster of this start
	epochs   []uint64 // all that are known here, rising
	known    uint64   // N of the newest entry
	repeated bool     // what is ordered now was ordered before
	placing  placing
	early    int             // messages that wait for their room to load
	halves   map[string]half // of rooms that are not in memory; nil: no cluster, or no Journal
	restores map[restored]restoring

	counters
}

// newShard returns a shard; cfg must have its defaults.
func newShard(cfg *Config, index int, j Journal, h History, relay Relay) *Shard {
	s := &Shard{
		cfg: cfg, index: index, journal: j, history: h, relay: relay, rooms: make(map[string]*room),
		delay: NewHistogram(nil), acks: NewHistogram(nil), epoch: cfg.Epoch, epochs: cfg.Epochs,
	}
	if cfg.Places != nil {
		if j != nil {
			s.halves, s.restores = make(map[string]half), make(map[restored]restoring)
		}
		s.knowEpoch(0) // joined told it before the log's first entry, maybe in another life
		s.entry(cfg.Places[index].Epoch, cfg.Places[index].Seq)
	}
	return s
}

// knowEpoch adds an epoch to those that a cursor may have. The other shards do not see it.
func (s *Shard) knowEpoch(epoch uint64) {
	if i, known := slices.BinarySearch(s.epochs, epoch); !known {
		s.epochs = slices.Insert(slices.Clip(s.epochs), i, epoch)
	}
}

// Step carries out one command at now (Unix ns).
func (s *Shard) Step(now int64, cmd Command) { s.step(now, &cmd) }

// step is Step without a copy. It does not keep cmd.
func (s *Shard) step(now int64, cmd *Command) {
	s.now = now
	switch cmd.Kind {
	case committed:
		s.commit(cmd)
	case replayed:
		s.replay(cmd.answer)
	case entry:
		s.entry(cmd.Epoch, cmd.After)
	case ordered:
		s.order(cmd)
	case settled:
		s.settle(cmd)
	case elsewhere:
		s.elsewhere(cmd.Member, cmd.HasPos)
	case typing:
		s.typingElsewhere(cmd.Member)
	case reload:
		s.known = cmd.After
		s.reloadAll()
	default:
		s.obey(cmd)
	}
}

// obey does what a member asked for, once its room is loaded.
func (s *Shard) obey(cmd *Command) {
	m := cmd.Member
	switch {
	case m.waits != nil:
		s.wait(m.waits, cmd)
	case m.room != nil && m.room.loading && cmd.Kind != Gone:
		s.wait(m.room, cmd)
	default:
		s.carryOut(cmd)
	}
}

// carryOut does what a member asked for.
func (s *Shard) carryOut(cmd *Command) {
	m := cmd.Member
	switch {
	case cmd.Kind == Join:
		s.join(cmd)
	case cmd.Kind == Leave, cmd.Kind == Gone:
		s.leave(m, cmd.Kind == Leave)
	case m.room == nil:
		s.rejected.Add(1)
		s.refuse(m, cmd.Body, frame.CodeNotJoined, 0)
	case cmd.Kind == Say:
		s.say(m, cmd)
	case cmd.Kind == Users:
		s.users(m, cmd.Offset, cmd.Limit)
	case cmd.Kind == Page:
		s.page(m, cmd.Before, cmd.Limit)
	case cmd.Kind == Typing:
		s.typing(m)
	}
}

// time is the time of day of this turn, Unix ms.
func (s *Shard) time() int64 {
	if s.wall == 0 {
		s.wall = s.cfg.Wall()
	}
	return s.wall
}

// touch has EndTurn tend r.
func (s *Shard) touch(r *room) {
	if !r.touched {
		r.touched = true
		s.touched = append(s.touched, r)
	}
}

// EndTurn sends what the turn gathered and does what is due at now. It returns
// when it must be called again, Unix ns; never if nothing waits. It looks only at
// rooms that something happened in or whose time has come.
func (s *Shard) EndTurn(now int64) (next int64) {
	s.now = now
	s.tendPlacing()
	for s.timers.next() <= now {
		r := s.timers[0]
		s.timers.remove(r)
		s.touch(r)
	}
	hold := int64(0)
	if s.cfg.Busy != nil && len(s.touched) > 0 {
		hold = pace(s.cfg.Busy())
	}
	for i := 0; i < len(s.touched); i++ {
		r := s.touched[i]
		s.timers.set(r, s.tend(r, hold))
		r.touched = false
	}
	clear(s.touched)
	s.touched = s.touched[:0]
	s.open.Store(int64(s.opened))
	s.wall = 0
	return min(s.placing.due(), s.tendQuestions(), s.timers.next())
}

// tend does what r needs now and returns when it needs more.
func (s *Shard) tend(r *room, hold int64) (next int64) {
	next = never
	switch { // first, since what waited may change the rest
	case r.loading:
		next = s.tendLoad(r)
	case len(r.waiting) > 0:
		next = s.tendLag(r)
	}
	s.tendRejoin(r)
	next = min(next, s.tendLeaving(r), s.tendPresence(r), s.tendPending(r))
	if len(r.frames) > 0 {
		if due := r.sent + hold; due > s.now {
			return min(next, due)
		}
		s.flush(r)
	}
	if next == never && len(r.members) == 0 && !r.needed() {
		s.abandon(r)
	}
	return next
}

// needed tells whether a room that nobody is in on this node, nor was just now, must stay.
func (r *room) needed() bool {
	return len(r.pending) > 0 || r.asking > 0 || len(r.waiting) > 0 || r.asked || !r.quiet()
}

// abandon forgets a room that nobody is in, or keeps it if it is nowhere else,
// and forgets another one that is empty for longer.
func (s *Shard) abandon(r *room) {
	if s.cfg.KeepRooms && len(r.tail.bodies) > 0 {
		if r.kept == nil {
			r.kept = s.kept.PushBack(r)
		}
		if s.kept.Len() <= max(s.cfg.EmptyRooms/s.cfg.Shards, 1) {
			return
		}
		r, _ = s.kept.Front().Value.(*room)
	}
	s.forget(r)
}

// forget drops a room from memory; its history stays in the database, if there is one.
func (s *Shard) forget(r *room) {
	if r.kept != nil {
		s.kept.Remove(r.kept)
		r.kept = nil
	}
	if s.history == nil {
		s.floor = max(s.floor, r.last.Seq)
	}
	s.timers.remove(r)
	s.dropEarly(r)
	r.tail.release()
	delete(s.rooms, r.name)
	s.liveRooms.Add(-1)
}

// send gives one finished Buf to a client and lets go of it.
func send(c *Client, b *frame.Buf) {
	c.Out.Send(b)
	b.Release()
}

// answerError tells a member that what it asked for was not done. Any goroutine.
func answerError(m *Member, id []byte, code frame.Code, retry time.Duration) {
	b := frame.Get(256)
	b.B = frame.AppendError(b.B, code, m.name, id, int(retry.Milliseconds()), "")
	send(m.client, b)
}

// refuse answers with an error and lets go of the message's body, if it was one.
func (s *Shard) refuse(m *Member, body *frame.Buf, code frame.Code, retry time.Duration) {
	if body == nil {
		answerError(m, nil, code, retry)
		return
	}
	if code == frame.CodeBusy {
		s.busy.Add(1)
	}
	answerError(m, body.ID(), code, retry)
	body.Release()
}

// turnAway answers a command that the mailbox has no place for; any goroutine.
// false: the caller does it, and keeps cmd.Body.
func turnAway(cmd *Command, closed bool) bool {
	switch cmd.Kind {
	case Say, Users, Page, Typing:
		return false
	case Join:
		code := frame.CodeBusy
		if closed {
			code = frame.CodeUnavailable
		}
		cmd.Member.state.CompareAndSwap(uint32(Pending), uint32(Out))
		answerError(cmd.Member, nil, code, busyRetry)
	case replayed:
		cmd.answer.release()
	case ordered:
		cmd.Body.Release()
	}
	return true
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
		for i := range r.waiting {
			if body := r.waiting[i].Body; body != nil {
				body.Release()
			}
		}
		s.dropEarly(r)
		r.tail.release()
	}
	for i := range s.placing.queue {
		if body := s.placing.queue[i].body; body != nil {
			body.Release()
		}
	}
	s.placing = placing{}
	clear(s.rooms)
	s.touched, s.timers, s.questions = nil, nil, nil
	s.kept.Init()
}
