package shard

import (
	"nebula/frame"
)

// Pages of protocol.md.
const (
	newestPage = 50
	resumePage = 200
	usersPage  = 200
)

// room is one room in memory. It belongs to its shard.
type room struct {
	name   string
	active bool // in Shard.active

	// Members: outs[i] is members[i]'s connection.
	members []*Member
	outs    []Outlet
	people  people

	// Order.
	seq       uint64 // of the newest message
	committed uint64
	tail      tail
	window    dedupe
	pending   []pendingAck // by time of arrival

	// The open turn: frames to send, with a reference each.
	frames []*frame.Buf
	size   int
	reads  []int64 // when the messages among them were read
	sent   int64   // Unix ns of the last send

	// Loading.
	loading bool
	asked   bool // History took the request
	since   int64
	waiting []Command // joins
}

// roomOf returns the room, made and being loaded if it was cold.
func (s *Shard) roomOf(name string) *room {
	r := s.rooms[name]
	if r == nil {
		r = &room{name: name, people: people{byID: make(map[string]*person)}, since: s.now, loading: s.history != nil}
		s.rooms[name] = r
		s.liveRooms.Add(1)
		s.activate(r)
	}
	return r
}

func (s *Shard) join(cmd *Command) {
	m := cmd.Member
	r := s.roomOf(m.name)
	if r.loading {
		r.waiting = append(r.waiting, *cmd)
		s.askLoad(r)
		return
	}
	s.activate(r)
	s.flush(r)
	if m.room == nil {
		m.room, m.index = r, len(r.members)
		r.members = append(r.members, m)
		r.outs = append(r.outs, m.client.Out)
		s.members.Add(1)
		r.people.enter(m.client, s.now)
	}
	m.state.Store(uint32(Joined))
	s.answerJoin(r, m, cmd)
}

// answerJoin sends `joined`: the newest page, or what comes after the cursor.
func (s *Shard) answerJoin(r *room, m *Member, cmd *Command) {
	budget := s.answerBytes()
	list := r.people.list(0, usersPage, budget/2)
	for _, u := range list {
		budget -= userBytes(u)
	}
	j := frame.Joined{Room: r.name, Epoch: s.cfg.Epoch, Seq: r.seq, Users: list, Count: len(r.people.sorted)}
	end := len(r.tail.bodies)
	if cmd.HasPos {
		from, known := r.tail.after(Pos{cmd.Epoch, cmd.After}, s.cfg.Epochs)
		page, _ := r.tail.page(end, resumePage, budget)
		if known && end-from <= len(page) {
			j.Messages, j.Complete = page[len(page)-(end-from):], true
		} else {
			j.Messages = page
		}
	} else {
		page, more := r.tail.page(end, newestPage, budget)
		j.Messages, j.Complete = page, !more
	}
	b := frame.Get(4096)
	b.B = frame.AppendJoined(b.B, j)
	send(m.client, b)
}

// answerBytes is what an answer may have (protocol.md section 3).
func (s *Shard) answerBytes() int { return s.cfg.SendBytes / 2 }

func (s *Shard) leave(m *Member, told bool) {
	m.state.Store(uint32(Out))
	if r := m.room; r != nil {
		s.activate(r)
		s.flush(r)
		last := len(r.members) - 1
		r.members[m.index], r.outs[m.index] = r.members[last], r.outs[last]
		r.members[m.index].index = m.index
		r.members[last], r.outs[last] = nil, nil
		r.members, r.outs = r.members[:last], r.outs[:last]
		m.room = nil
		s.members.Add(-1)
		grace := int64(s.cfg.Grace)
		if told {
			grace = 0
		}
		r.people.exit(m.client.User, s.now, s.now+grace)
	} else if r := s.rooms[m.name]; r != nil {
		for i := range r.waiting {
			if r.waiting[i].Member == m {
				r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
				break
			}
		}
	}
	if told {
		b := frame.Get(128)
		b.B = frame.AppendLeft(b.B, m.name)
		send(m.client, b)
	}
}

// askLoad asks History for a cold room, again if it was refused.
func (s *Shard) askLoad(r *room) {
	if !r.asked {
		r.asked = s.history.Replay(Request{Kind: Load, Shard: s.index, Room: r.name})
	}
}

// tendLoad asks again, and gives up after loadPatience.
func (s *Shard) tendLoad(r *room) int64 {
	if s.now-r.since > int64(loadPatience) {
		for _, cmd := range r.waiting {
			cmd.Member.state.Store(uint32(Out))
			s.answerError(cmd.Member, frame.CodeUnavailable, nil, busyRetry)
		}
		r.waiting = nil
		if !r.asked { // else the answer is still to come
			delete(s.rooms, r.name)
			s.liveRooms.Add(-1)
			return never
		}
		r.since = s.now
	}
	if !r.asked {
		s.askLoad(r)
		return s.now + int64(loadAgain)
	}
	return r.since + int64(loadPatience) + 1
}

// replay takes an answer of History.
func (s *Shard) replay(a *Answer) {
	if a.Kind == Older {
		s.replayPage(a)
		return
	}
	r := s.rooms[a.Room]
	if r == nil || !r.loading {
		for _, b := range a.Messages {
			b.Release()
		}
		return
	}
	s.activate(r)
	if a.Err != nil {
		r.asked = false
		return
	}
	r.loading = false
	r.seq, r.committed = a.Last.Seq, a.Last.Seq
	r.tail = tail{bodies: a.Messages, epochs: a.Epochs, more: a.More}
	for _, seen := range a.IDs {
		r.window.add(seen, s.milli())
	}
	waiting := r.waiting
	r.waiting = nil
	for i := range waiting {
		s.join(&waiting[i])
	}
}

// page answers history, from the tail if it reaches, else with History's help.
func (s *Shard) page(m *Member, before uint64, limit int) {
	r := m.room
	end := r.tail.below(before)
	page, more := r.tail.page(end, limit, s.answerBytes())
	if len(page) == limit || !r.tail.more || len(page) < end {
		s.answerPage(m, page, more)
		return
	}
	if before == 0 || end > 0 {
		// The tail's own part is the newest of the page: what is older comes with the next question.
		if end > 0 {
			s.answerPage(m, page, true)
			return
		}
		before = r.seq + 1
	}
	if m.paging || !s.history.Replay(Request{
		Kind: Older, Shard: s.index, Room: r.name, Before: before, Limit: limit, MaxBytes: s.answerBytes(), Token: m,
	}) {
		s.answerError(m, frame.CodeBusy, nil, busyRetry)
		return
	}
	m.paging = true
}

func (s *Shard) answerPage(m *Member, page []*frame.Buf, more bool) {
	b := frame.Get(4096)
	b.B = frame.AppendHistory(b.B, m.name, page, more)
	send(m.client, b)
}

func (s *Shard) replayPage(a *Answer) {
	m, _ := a.Token.(*Member)
	m.paging = false
	if a.Err != nil {
		s.answerError(m, frame.CodeInternal, nil, busyRetry)
	} else {
		s.answerPage(m, a.Messages, a.More)
	}
	for _, b := range a.Messages {
		b.Release()
	}
}

// users answers presence.
func (s *Shard) users(m *Member, offset, limit int) {
	p := &m.room.people
	b := frame.Get(1024)
	b.B = frame.AppendUsers(b.B, m.name, offset, len(p.sorted), p.list(offset, limit, s.answerBytes()))
	send(m.client, b)
}
