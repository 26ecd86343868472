package shard

import "nebula/frame"

// wait has cmd wait until its member's room is loaded. All that the member says
// meanwhile waits behind its join, so that a client that does not wait for joined
// fares the same with a cold room as with a warm one.
func (s *Shard) wait(r *room, cmd *Command) {
	m := cmd.Member
	if cmd.Kind == Gone { // nothing that it asked for is wanted any more
		m.gone = true
		m.state.Store(uint32(Out))
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
	s.askLoad(r)
}

// turnDown answers a command that waited for a room, or would have to.
func (s *Shard) turnDown(cmd *Command, code frame.Code) {
	m := cmd.Member
	switch cmd.Kind {
	case Join:
		if m.waits == nil {
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
	r.asked = s.history.Replay(Request{Kind: Load, Shard: s.index, Room: r.name})
	r.askAt = s.now + int64(loadAgain)
}

// tendLoad asks again, and gives up after loadPatience. A room that nobody waits
// for is forgotten, unless History has yet to answer: there are at most as many of
// those as History takes questions.
func (s *Shard) tendLoad(r *room) int64 {
	late := r.since + int64(loadPatience)
	if len(r.waiting) > 0 && late <= s.now {
		s.resume(r, func(cmd *Command) { s.turnDown(cmd, frame.CodeUnavailable) })
	}
	if len(r.waiting) == 0 {
		if !r.asked {
			s.forget(r)
		}
		return never
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
	if a.Err != nil {
		a.release()
		r.asked, r.askAt = false, s.now+int64(loadAgain)
		return
	}
	r.loading = false
	r.seq, r.committed = a.Last.Seq, a.Last.Seq
	r.tail = tail{bodies: a.Messages, epochs: a.Epochs, more: a.More}
	for _, seen := range a.IDs {
		r.window.add(seen, s.time())
	}
	s.resume(r, s.carryOut)
}
