package shard

import (
	"nebula/frame"
	"time"
)

// typing passes on that a member types.
func (s *Shard) typing(m *Member) {
	c := m.client
	if s.types(m.room, m.room.people.byID[c.User], c) && s.relay != nil {
		s.relay.Typing(s.index, m.room.name, frame.User{ID: c.User, Name: c.Name})
	}
}

// typingElsewhere does so for somebody on another node.
func (s *Shard) typingElsewhere(m *Member) {
	r := s.rooms[m.name]
	if r == nil || len(r.members) == 0 {
		return
	}
	if one := r.people.byID[m.client.User]; one != nil {
		s.types(r, one, m.client)
	}
}

// types tells the room that one types, at most once in typingEvery for its user. In a
// large room, where nobody could read them all, some are left out.
func (s *Shard) types(r *room, one *person, c *Client) bool {
	p := &r.people
	if s.now-one.typed < int64(typingEvery) {
		return false
	}
	if len(p.sorted) > smallRoom {
		if s.now-p.typed >= int64(time.Second) {
			p.typed, p.typing = s.now, 0
		}
		if p.typing == typingMost {
			return false
		}
		p.typing++
	}
	one.typed = s.now
	b := frame.Get(256)
	b.B = frame.AppendTyping(b.B, r.name, c.User, c.Name)
	s.gather(r, b, 0)
	return true
}
