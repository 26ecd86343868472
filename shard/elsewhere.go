package shard

import (
	"nebula/frame"
	"slices"
)

// One user on several nodes is one person. What is told of other nodes keeps no room in
// memory: when it is made again, the Relay is asked.

// found takes who is elsewhere into a room that was just made: whoever joins it is told
// in joined.
func (p *people) found(users []frame.User) {
	for _, u := range users {
		one := p.person(u.ID, u.Name)
		one.far, one.Name, one.told = true, u.Name, u.Name
	}
	for _, one := range p.byID {
		p.sorted = append(p.sorted, one)
	}
	slices.SortFunc(p.sorted, order)
}

// elsewhere takes that a user is, or is no longer, on any other node.
func (s *Shard) elsewhere(m *Member, here bool) {
	r := s.rooms[m.name]
	if r == nil {
		return
	}
	p := &r.people
	if !here && p.byID[m.client.User] == nil {
		return
	}
	one := p.person(m.client.User, m.client.Name)
	was := one.here()
	one.far = here
	switch {
	case here:
		p.enlist(one, was, m.client.Name, s.now)
	case was && !one.near:
		p.remove(one)
		p.change(one, s.now)
	}
	s.touch(r)
}

// tellLeft tells the other nodes that one left this one.
func (s *Shard) tellLeft(r *room, one *person) {
	if s.relay != nil {
		s.relay.Presence(s.index, r.name, one.User, false)
	}
}
