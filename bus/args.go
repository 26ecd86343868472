package bus

import (
	"encoding/binary"
	"hash/fnv"
	"strconv"
)

// prepare fills args with what the script takes; see batchScript.
func (s *sequencer) prepare(b *batch) {
	const most = 20 // digits
	s.args, s.arena = s.args[:0], s.arena[:0]
	if s.numbers == nil {
		s.numbers = make(map[string]int, batchMessages)
	}
	clear(s.numbers)
	need := len(b.body) + 300 + len(b.drafts)*(3*most+12)
	if cap(s.arena) < need { // it must not move once args alias it
		s.arena = make([]byte, 0, need)
	}
	known, force := uint64(0), forceEntry
	if len(b.drafts) > 0 {
		known, force = b.drafts[0].known, forceNone // the queue is in order: the first knows least
	}
	s.number(known)
	s.number(s.p.applied.Load())
	s.number(uint64(len(b.drafts)))
	s.args = append(s.args, "") // rooms
	s.args = append(s.args, force)
	s.bytes(func(a []byte) []byte {
		return append(appendBodyHead(a, s.cfg.Node, now(), len(b.drafts)), b.body...)
	})
	for i := range b.drafts {
		d := &b.drafts[i]
		if s.numbers[d.room] == 0 {
			s.numbers[d.room] = len(s.numbers) + 1
			s.args = append(s.args, d.room)
			s.number(d.floor)
		} else if at := 5 + 2*s.numbers[d.room]; atoi(s.args[at]) < d.floor {
			s.number(d.floor)
			last := len(s.args) - 1
			s.args[at], s.args = s.args[last], s.args[:last]
		}
	}
	s.args[3] = strconv.Itoa(len(s.numbers))
	for i := range b.drafts {
		d := &b.drafts[i]
		s.bytes(func(a []byte) []byte { return appendDigest(a, d.room, d.hash) })
		s.number(uint64(s.numbers[d.room]))
	}
}

// bytes adds an argument that fill appends to the arena.
func (s *sequencer) bytes(fill func([]byte) []byte) {
	start := len(s.arena)
	s.arena = fill(s.arena)
	s.args = append(s.args, view(s.arena[start:]))
}

func (s *sequencer) number(n uint64) {
	s.bytes(func(a []byte) []byte { return strconv.AppendUint(a, n, 10) })
}

func atoi(s string) uint64 {
	n, _ := strconv.ParseUint(s, 10, 64) // written by number
	return n
}

// appendDigest appends what names a message in the dedupe window: 64 bits of user and
// id, 32 of the room.
func appendDigest(b []byte, room string, hash uint64) []byte {
	b = binary.BigEndian.AppendUint64(b, hash)
	h := fnv.New32a()
	_, _ = h.Write([]byte(room))
	return h.Sum(b)
}
