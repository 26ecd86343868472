package shard

import (
	"maps"
	"nebula/frame"
	"slices"
)

// reload has a room loaded again; its members' commands wait meanwhile.
func (s *Shard) reload(r *room) {
	s.touch(r)
	if r.loading { // what History answers now may be from before
		r.stale = r.asked
		return
	}
	s.flush(r)
	r.loading, r.askAt, r.missed = true, 0, r.last
}

// reloadAll does that with all rooms, in an order that does not change.
func (s *Shard) reloadAll() {
	if s.history == nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.rooms)) {
		s.reload(s.rooms[name])
	}
}

// rejoin has all members answered joined at the end of the turn, with what the room is
// then: what they saw is not what it was.
func (s *Shard) rejoin(r *room) {
	if r.rejoining || len(r.members) == 0 {
		return
	}
	s.flush(r)
	r.rejoining = true
	s.touch(r)
}

// tendRejoin answers them, all with the same.
func (s *Shard) tendRejoin(r *room) {
	if !r.rejoining || r.loading {
		return
	}
	r.rejoining = false
	if len(r.members) == 0 {
		return
	}
	j, listBytes := s.joined(r)
	j.Messages, _ = r.tail.page(len(r.tail.bodies), resumePage, s.answerBytes()-listBytes)
	b := frame.Get(payloadBytes(j.Messages) + listBytes + envelopeBytes)
	b.B = frame.AppendJoined(b.B, j)
	s.gather(r, b, 0)
}
