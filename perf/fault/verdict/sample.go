package verdict

import (
	"maps"
	"slices"
)

// Sample judges a stretch of a room's history by acks that came before it was read.
func (f *Faults) Sample(room string, start int, stretch []Placed, acks []Ack) {
	if len(stretch) == 0 {
		return
	}
	first := stretch[0].Seq
	for i, p := range stretch {
		if p.Seq != first+uint64(i) {
			f.Add(Hole, "%s, read from start %d: %d follows on %d", room, start, p.Seq, first+uint64(i)-1)
			return
		}
	}
	for _, a := range acks {
		if a.Seq < first || a.Seq-first >= uint64(len(stretch)) {
			continue
		}
		if m := stretch[a.Seq-first].Said.Value(); m.ID != a.ID || m.User != a.User {
			f.Add(Lost, "%s, read from start %d: %s of %s, acked as %d by start %d, is not there but %s of %s",
				room, start, a.ID, a.User, a.Seq, a.Start, m.ID, m.User)
		}
	}
}

// Agree judges that a node has the same history as another.
func (f *Faults) Agree(node string, want, got map[string][]Placed) {
	for _, room := range slices.Sorted(maps.Keys(want)) {
		a, b := want[room], got[room]
		if len(a) != len(b) {
			f.Add(Lost, "%s: %s has %d messages, another node %d", room, node, len(b), len(a))
		}
		for i := range min(len(a), len(b)) {
			if a[i] != b[i] {
				f.Add(Changed, "%s: %s has %s at %d, another node %s at %d", room, node,
					b[i].Said.Value().ID, b[i].Seq, a[i].Said.Value().ID, a[i].Seq)
			}
		}
	}
}
