package gateway

import (
	"nebula/frame"
	"nebula/netpoll"
	"nebula/shard"
	"net/netip"
)

// session is one upgraded connection. It belongs to its loop's goroutine; the
// shards know only client and the members.
type session struct {
	// Static after construction.
	client shard.Client
	addr   netip.Addr // counted by Gateway.admit

	// Owned by the loop goroutine.
	parser  frame.Parser
	rooms   []joined
	heard   int64 // Unix ns of the last bytes read
	since   int64 // Unix ns of the first of the limited refusals
	limited uint8 // rate_limited errors since then
	ended   bool  // closing: what it still says is not listened to
}

// joined is a room that this connection has joined or asked to join.
type joined struct {
	member *shard.Member
	shard  int
}

// find returns the index of room in s.rooms, -1 if it was not joined. A join
// that failed in the shard is forgotten on the way.
func (s *session) find(room []byte) int {
	for i := range s.rooms {
		m := s.rooms[i].member
		if m.Room() != string(room) {
			continue
		}
		if m.State() == shard.Out {
			s.remove(i)
			return -1
		}
		return i
	}
	return -1
}

func (s *session) remove(i int) {
	last := len(s.rooms) - 1
	s.rooms[i] = s.rooms[last]
	s.rooms[last] = joined{}
	s.rooms = s.rooms[:last]
	if last == 0 {
		s.rooms = nil
	}
}

// sessionOf returns c's session, nil before its upgrade.
func sessionOf(c netpoll.Conn) *session {
	s, _ := c.Context().(*session)
	return s
}
