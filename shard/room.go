package shard

import (
	"container/list"
	"nebula/frame"
)

// Pages of protocol.md.
const (
	newestPage = 50
	resumePage = 200
	usersPage  = 200
)

// envelopeBytes is more than an answer has besides its messages and users: the
// names of its fields, a room's name (at most 64 characters), and a comma a message.
const envelopeBytes = 1024

// room is one room in memory. It belongs to its shard.
type room struct {
	name string

	// Where it stands in the shard's lists.
	touched bool          // in Shard.touched
	wake    int64         // Unix ns when it comes up in Shard.timers; never: it is not in
	slot    int           // there
	kept    *list.Element // in Shard.kept

	// Members: outs[i] is members[i]'s connection.
	members []*Member
	outs    []Outlet
	people  people

	// Order.
	last      Pos // of the newest message
	committed Pos // everything up to here is durable; above last: its entry is still to come
	tail      tail
	window    dedupe
	pending   []pendingAck // by time of arrival
	late      int          // how many of pending, from the first, were answered error/internal
	asking    int          // how many wait in Shard.placing
	rejoining bool         // its members are to be answered joined at the end of the turn

	// The open turn: frames to send, with a reference each.
	frames []*frame.Buf
	size   int
	reads  []int64 // when the messages among them were read
	sent   int64   // Unix ns of the last send

	// Loading.
	loading bool
	asked   bool      // History took the request
	stale   bool      // what it will answer does not count
	askAt   int64     // Unix ns; not asked again before
	since   int64     // Unix ns of the first of waiting
	waiting []Command // of those who want to join, and of members of a room that is loaded again
	early   []Placed  // what was ordered meanwhile
	ahead   Pos       // the newest of that
	missed  Pos       // History's answer must reach at least to here
}

// quiet tells whether all that was ordered is known to be durable.
func (r *room) quiet() bool {
	return r.committed == later(later(r.last, r.ahead), r.missed)
}

// roomOf returns the room, made and being loaded if it was cold.
func (s *Shard) roomOf(name string) *room {
	r := s.rooms[name]
	if r != nil {
		return r
	}
	r = &room{
		name: name, people: people{byID: make(map[string]*person)}, wake: never, loading: s.history != nil,
	}
	if s.floor > 0 && s.cfg.Places == nil {
		r.last = Pos{s.epoch, s.floor}
		r.committed = r.last
	}
	if h, ok := s.halves[name]; ok {
		delete(s.halves, name)
		if h.durable {
			r.committed = h.pos
		} else {
			r.missed = h.pos
		}
	}
	if s.relay != nil {
		r.people.found(s.relay.Elsewhere(s.index, name))
	}
	s.rooms[name] = r
	s.liveRooms.Add(1)
	return r
}

func (s *Shard) join(cmd *Command) {
	m := cmd.Member
	r := s.roomOf(m.name)
	lags := s.lags(r, cmd) // from now on, whatever else it waits for
	if r.loading || lags || r.waits(m.client) {
		s.wait(r, cmd)
		return
	}
	s.touch(r)
	s.tendRejoin(r)
	s.flush(r)
	if m.room == nil {
		s.enter(r, m)
	}
	m.state.Store(uint32(Joined))
	s.answerJoin(r, m, cmd)
	r.people.shownTo(m.client.User)
}

// enter makes m a member of r.
func (s *Shard) enter(r *room, m *Member) {
	if r.kept != nil {
		s.kept.Remove(r.kept)
		r.kept = nil
	}
	m.room, m.index = r, int32(len(r.members))
	r.members = append(r.members, m)
	r.outs = append(r.outs, m.client.Out)
	s.members.Add(1)
	if r.people.enter(m.client, s.now) && s.relay != nil {
		s.relay.Presence(s.index, r.name, frame.User{ID: m.client.User, Name: m.client.Name}, true)
	}
}

// joined is the part of an answer joined that is the same for everybody, and about how
// much its users take.
func (s *Shard) joined(r *room) (j frame.Joined, listBytes int) {
	list := r.people.list(0, usersPage, s.answerBytes()/2)
	return frame.Joined{
		Room: r.name, Epoch: s.epoch, Seq: r.last.Seq, Users: list, Count: len(r.people.sorted),
	}, usersBytes(list)
}

// answerJoin sends `joined`: the newest page, or what comes after the cursor.
func (s *Shard) answerJoin(r *room, m *Member, cmd *Command) {
	j, listBytes := s.joined(r)
	budget := s.answerBytes() - listBytes
	end := len(r.tail.bodies)
	if cmd.HasPos {
		from, known := r.tail.after(Pos{cmd.Epoch, cmd.After}, r.last.Seq, s.epochs)
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
	b := frame.Get(payloadBytes(j.Messages) + listBytes + envelopeBytes)
	b.B = frame.AppendJoined(b.B, j)
	send(m.client, b)
}

// answerBytes is what an answer may have of messages and users (protocol.md section 3).
func (s *Shard) answerBytes() int { return s.cfg.SendBytes/2 - envelopeBytes }

// leave takes m out of its room, if it is in; told: the client asked for it.
func (s *Shard) leave(m *Member, told bool) {
	m.state.Store(uint32(Out))
	if r := m.room; r != nil {
		s.touch(r)
		s.flush(r)
		s.exit(r, m, told)
	}
	if told {
		b := frame.Get(128)
		b.B = frame.AppendLeft(b.B, m.name)
		send(m.client, b)
	}
}

// exit ends m's membership of r. The last member takes its place.
func (s *Shard) exit(r *room, m *Member, told bool) {
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
	if one := r.people.exit(m.client.User, s.now, s.now+grace); one != nil {
		s.tellLeft(r, one)
	}
}
