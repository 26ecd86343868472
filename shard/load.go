package shard

import (
	"nebula/frame"
	"slices"
	"time"
)

// How long a client waits that has seen more elsewhere than this node has; protocol.md
// section 3.
const (
	lagPatience = time.Second
	lagAgain    = 20 * time.Millisecond
)

// wait has cmd wait until its member's room is loaded, or has what the member has
// seen. All that the member says meanwhile waits behind its join, so that a client that
// does not wait for joined fares the same with a cold room as with a warm one.
func (s *Shard) wait(r *room, cmd *Command) {
	m := cmd.Member
	if cmd.Kind == Gone { // nothing that it asked for is wanted any more
		m.gone = true
		s.leave(m, false)
		return
	}
	if s.held.Load() >= int64(s.cfg.mayWait(cmd.Kind)) {
		s.turnDown(cmd, frame.CodeBusy)
		return
	}
	if len(r.waiting) == 0 {
		r.since = s.now
	}
	m.waits = r
	r.waiting = append(r.waiting, *cmd)
	s.held.Add(1)
	s.touch(r)
	if r.loading {
		s.askLoad(r)
	}
}

// lags tells whether a client that wants to join has seen more elsewhere than this node
// has. It notes in cmd.Read until when the client waits.
func (s *Shard) lags(r *room, cmd *Command) bool {
	if !cmd.HasPos || s.cfg.Places == nil || cmd.Member.room != nil {
		return false
	}
	if cmd.Read == 0 {
		cmd.Read = s.now + int64(lagPatience)
	}
	// Without History a room that was not in memory never has it.
	return cmd.Epoch > s.epoch || cmd.Epoch == s.epoch && cmd.After > r.last.Seq && s.history != nil
}

// waits tells whether something that c asked for waits: what it asks now comes after that.
func (r *room) waits(c *Client) bool {
	return slices.ContainsFunc(r.waiting, func(cmd Command) bool { return cmd.Member.client == c })
}

// tendLag lets those try again who have seen more than the room has, and turns away whose
// time is over.
func (s *Shard) tendLag(r *room) int64 {
	if r.askAt <= s.now {
		r.askAt = s.now + int64(lagAgain)
		s.resume(r, func(cmd *Command) {
			m := cmd.Member
			late := cmd.Kind == Join && m.waits == nil && cmd.Read <= s.now && s.lags(r, cmd)
			if late || cmd.Kind != Join && m.State() == Out { // its join was turned down just now
				s.turnDown(cmd, frame.CodeUnavailable)
				return
			}
			s.obey(cmd)
		})
	}
	if len(r.waiting) == 0 {
		return never
	}
	return r.askAt
}

// turnDown answers a command that waited for a room, or would have to.
func (s *Shard) turnDown(cmd *Command, code frame.Code) {
	m := cmd.Member
	switch cmd.Kind {
	case Join:
		if m.waits == nil && m.room == nil {
			m.state.Store(uint32(Out))
		}
		answerError(m, nil, code, busyRetry)
	case Leave:
		s.leave(m, true)
	case Say, Users, Page:
		s.refuse(m, cmd.Body, code, busyRetry)
	}
}

// resume does something to each command that waited for r.
func (s *Shard) resume(r *room, do func(*Command)) {
	waiting := r.waiting
	r.waiting = nil
	s.held.Add(-int64(len(waiting)))
	for i := range waiting {
		waiting[i].Member.waits = nil
	}
	for i := range waiting {
		switch cmd := &waiting[i]; {
		case !cmd.Member.gone:
			do(cmd)
		case cmd.Body != nil:
			cmd.Body.Release()
		}
	}
}

// askLoad asks History for a cold room, unless it did or was refused just now.
func (s *Shard) askLoad(r *room) {
	if r.asked || s.now < r.askAt {
		return
	}
	r.asked = !s.restoresIn(r) && s.history.Replay(Request{Kind: Load, Shard: s.index, Room: r.name})
	r.askAt = s.now + int64(loadAgain)
}

// tendLoad asks again, and gives up after loadPatience. A room that nobody waits
// for is not asked for; tend forgets it, unless History has yet to answer: there are at
// most as many of those as History takes questions.
func (s *Shard) tendLoad(r *room) int64 {
	late := r.since + int64(loadPatience)
	if len(r.waiting) > 0 && late <= s.now {
		s.resume(r, func(cmd *Command) { s.turnDown(cmd, frame.CodeUnavailable) })
	}
	if len(r.waiting) == 0 {
		late = never
		if len(r.members) == 0 {
			return never
		}
	}
	s.askLoad(r)
	if r.asked {
		return late
	}
	return min(late, r.askAt)
}

// replay takes an answer of History.
func (s *Shard) replay(a *Answer) {
	if a.Kind == Older {
		s.replayPage(a)
		return
	}
	r := s.rooms[a.Room]
	if r == nil || !r.loading {
		a.release()
		return
	}
	s.touch(r)
	stale := r.stale
	r.asked, r.stale = false, false
	if a.Err != nil || stale || r.missed.above(a.Last) {
		a.release()
		r.askAt = s.now + int64(loadAgain)
		if stale {
			r.askAt = s.now
		}
		return
	}
	r.loading = false
	s.fill(r, a)
	s.tendRejoin(r)
	s.resume(r, s.obey)
}

// fill makes r what History has, and what was ordered since.
func (s *Shard) fill(r *room, a *Answer) {
	r.tail.release()
	r.tail = tail{bodies: a.Messages, epochs: a.Epochs, more: a.More}
	r.window = dedupe{}
	for _, seen := range a.IDs {
		r.window.add(seen, s.time())
	}
	r.last, r.committed = a.Last, later(a.Last, r.committed)
	s.rejoin(r)
	early := r.early
	s.early -= len(early)
	r.early, r.ahead, r.missed = nil, Pos{}, Pos{}
	for i := range early {
		s.take(r, &early[i])
	}
	s.settleLoaded(r)
}
