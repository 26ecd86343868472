package shard

import (
	"errors"
	"nebula/frame"
	"slices"
	"sync"
)

// row is one message as a store keeps it.
type row struct {
	shard          int
	room           string
	pos            Pos
	milli          int64
	hash           uint64
	id, user, name string
	text           string
	restored       bool
	entry          Pos // of a simulated bus that brought it
}

// store is a Journal and a History in memory, as slow and as full as a test wants.
// Any goroutine.
type store struct {
	mu        sync.Mutex
	full      bool             // Append refuses
	deaf      bool             // Replay refuses
	taken     []row            // not committed yet
	committed map[string][]row // by room, in order
	asked     []Request        // not answered yet
}

func newStore() *store { return &store{committed: make(map[string][]row)} }

func (s *store) Append(r Record) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return false
	}
	s.taken = append(s.taken, row{
		shard: r.Shard, room: r.Room, pos: Pos{r.Epoch, r.Seq}, milli: r.Milli, hash: r.Hash,
		id: string(r.Body.ID()), user: r.User, name: r.Name, text: string(r.Body.Text()),
	})
	r.Body.Release()
	return true
}

// append takes a row of an entry of the bus, once.
func (s *store) append(r row) {
	s.mu.Lock()
	defer s.mu.Unlock()
	same := func(o row) bool { return o.room == r.room && o.pos == r.pos && o.restored == r.restored }
	if !slices.ContainsFunc(s.taken, same) && !slices.ContainsFunc(s.committed[r.room], same) || r.restored {
		s.taken = append(s.taken, r)
	}
}

func (s *store) Replay(q Request) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deaf {
		return false
	}
	s.asked = append(s.asked, q)
	return true
}

// commit makes the first n of what was taken durable. There is one notice a room, and
// one for each that was restored, which is stored unless the room has it.
func (s *store) commit(n int) (notices []Notice) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.taken[:n] {
		if r.restored {
			s.restore(r)
			notices = append(notices, Notice{Shard: r.shard, Room: r.room, Hash: r.hash})
			continue
		}
		s.committed[r.room] = append(s.committed[r.room], r)
		i := slices.IndexFunc(notices, func(n Notice) bool { return n.Room == r.room && n.Hash == 0 })
		if i < 0 {
			i = len(notices)
			notices = append(notices, Notice{Shard: r.shard, Room: r.room})
		}
		notices[i].Epoch, notices[i].Seq = r.pos.Epoch, r.pos.Seq
	}
	s.taken = s.taken[n:]
	return notices
}

// restore stores r at its place, which may be before others, unless the room has it. If
// that is at a later place, it is at that one only. s.mu must be held.
func (s *store) restore(r row) {
	rows := s.committed[r.room]
	if slices.ContainsFunc(rows, func(o row) bool { return o.hash == r.hash }) {
		if i := slices.IndexFunc(rows, func(o row) bool { return o.hash == r.hash && o.pos == r.pos }); i >= 0 {
			rows[i].entry = r.entry // which the bus may lose too
		}
		if slices.ContainsFunc(rows, func(o row) bool { return o.hash == r.hash && o.pos.above(r.pos) }) {
			s.committed[r.room] = slices.DeleteFunc(rows, func(o row) bool { return o.hash == r.hash && o.pos == r.pos })
		}
		return
	}
	i := len(rows)
	for i > 0 && rows[i-1].pos.above(r.pos) {
		i--
	}
	s.committed[r.room] = slices.Insert(rows, i, r)
}

// questions takes what was asked.
func (s *store) questions() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

var errStore = errors.New("the disk is gone")

// answer answers q from what is committed.
func (s *store) answer(q Request) Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := Answer{Request: q}
	rows := s.committed[q.Room]
	limit, budget := tailKeep, 1<<40
	if q.Kind == Older {
		limit, budget = q.Limit, q.MaxBytes
		for len(rows) > 0 && rows[len(rows)-1].pos.Seq >= q.Before {
			rows = rows[:len(rows)-1]
		}
	} else if len(rows) > 0 {
		a.Last = rows[len(rows)-1].pos
		for _, r := range rows[max(len(rows)-2000, 0):] {
			a.IDs = append(a.IDs, Seen{Hash: r.hash, Seq: r.pos.Seq, Milli: r.milli})
		}
	}
	start := len(rows)
	for start > 0 && len(rows)-start < limit {
		body := rows[start-1].encode()
		if budget -= len(body.Payload()); budget < 0 && start < len(rows) {
			body.Release()
			break
		}
		a.Messages = append([]*frame.Buf{body}, a.Messages...)
		a.Epochs = append([]uint64{rows[start-1].pos.Epoch}, a.Epochs...)
		start--
	}
	a.More = start > 0
	return a
}

func (r row) encode() *frame.Buf {
	body := frame.EncodeMessage(r.room, []byte(r.id), r.user, r.name, []byte(r.text))
	body.Stamp(r.pos.Seq, r.milli)
	return body
}
