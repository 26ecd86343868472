package verdict

import (
	"maps"
	"slices"
)

// Verdict is what Judge found.
type Verdict struct {
	Faults

	Acked    int // messages with at least one ack
	Vanished int // places that were seen and are gone, as the protocol allows
	Resumes  int // answers to a cursor that were compared with the rule
	Whole    int // of these, complete ones
	Taken    int // of these, to a cursor whose message is gone and whose place another took
	Unsure   int // of these, where the checker cannot tell which of the two answers is right

	rec    *Record
	final  map[string]map[uint64]Said // room, seq: the history
	places map[Key]Placed             // where the history has each message
	runs   map[runKey]*run
	held   map[held]bool // every cursor that a client ever had; true: it resumed with it
}

// runKey names one run of a room's numbering.
type runKey struct{ room, epoch string }

// run is what was seen of it.
type run struct {
	start int
	names map[uint64]Said
	reach uint64 // it was told to be the room's when this was the newest place
}

type held struct {
	room string
	Cursor
}

// Judge compares everything in rec.
func Judge(rec *Record) *Verdict {
	v := &Verdict{
		rec: rec, final: make(map[string]map[uint64]Said), places: make(map[Key]Placed),
		runs: make(map[runKey]*run), held: make(map[held]bool),
	}
	for _, room := range slices.Sorted(maps.Keys(rec.History)) {
		v.history(room, rec.History[room])
	}
	v.acks()
	for i := range rec.Tapes {
		v.watch(&rec.Tapes[i])
	}
	v.vanished()
	for i := range rec.Tapes {
		v.resumes(&rec.Tapes[i])
	}
	return v
}

// history judges the room's history by itself: no hole, nothing twice, nothing that
// was not sent, each sender's messages in its order.
func (v *Verdict) history(room string, all []Placed) {
	final := make(map[uint64]Said, len(all))
	v.final[room] = final
	order := make(map[string]int) // by user
	v.rising("the history of "+room, all, 1)
	for _, p := range all {
		m := p.Said.Value()
		if _, taken := final[p.Seq]; !taken {
			final[p.Seq] = p.Said
		}
		key := Key{room, m.User, m.ID}
		if first, twice := v.places[key]; twice {
			v.Add(Doubled, "%s: %s of %s stands at %d and at %d", room, m.ID, m.User, first.Seq, p.Seq)
			continue
		}
		v.places[key] = p
		sent, known := v.rec.Sent[key]
		switch {
		case !known:
			v.Add(Changed, "%s: %d is %s of %s, which nobody sent", room, p.Seq, m.ID, m.User)
		case sent.Text != m.Text:
			v.Add(Changed, "%s: %s of %s was sent as %.40q, history has %.40q", room, m.ID, m.User, sent.Text, m.Text)
		case sent.Refused:
		case sent.Order < order[m.User]:
			v.Add(Reordered, "%s: %s of %s, sent as its number %d, stands at %d behind its number %d",
				room, m.ID, m.User, sent.Order, p.Seq, order[m.User])
		default:
			order[m.User] = sent.Order
		}
	}
}

// rising judges that messages stand one after the other, the first at from (0:
// anywhere).
func (v *Verdict) rising(where string, all []Placed, from uint64) {
	next := from
	for _, p := range all {
		switch {
		case next == 0 || p.Seq == next:
		case p.Seq > next:
			v.Add(Hole, "%s: %d follows on %d", where, p.Seq, next-1)
		default:
			v.Add(Reordered, "%s: %d follows on %d", where, p.Seq, next-1)
		}
		next = max(next, p.Seq+1)
	}
}

// acks judges every ack: the same each time, and what history says.
func (v *Verdict) acks() {
	first := make(map[Key]Ack)
	for _, a := range v.rec.Acks {
		sent, known := v.rec.Sent[a.Key]
		if !known {
			v.Add(Changed, "%s: an ack for %s of %s, which nobody sent", a.Room, a.ID, a.User)
			continue
		}
		v.name(a.Room, a.Epoch, a.Start, Placed{a.Seq, Say(Message{a.User, a.ID, sent.Text, a.Time})})
		if f, again := first[a.Key]; again {
			if f.Seq != a.Seq || f.Time != a.Time {
				v.Add(Misacked, "%s: %s of %s was acked as %d at %d (start %d), then as %d at %d (start %d)",
					a.Room, a.ID, a.User, f.Seq, f.Time, f.Start, a.Seq, a.Time, a.Start)
			}
			continue
		}
		first[a.Key] = a
		v.kept(a)
	}
	v.Acked = len(first)
}

// kept judges the first ack of a message against the history.
func (v *Verdict) kept(a Ack) {
	at, found := v.places[a.Key]
	switch {
	case !found:
		v.Add(Lost, "%s: %s of %s, acked as %d by start %d, is not in the history", a.Room, a.ID, a.User, a.Seq, a.Start)
	case at.Seq != a.Seq:
		v.Add(Reordered, "%s: %s of %s, acked as %d by start %d, stands at %d", a.Room, a.ID, a.User, a.Seq, a.Start, at.Seq)
	case at.Said.Value().Time != a.Time:
		v.Add(Changed, "%s: %s of %s was acked with the time %d, history has %d", a.Room, a.ID, a.User, a.Time, at.Said.Value().Time)
	}
}

// run returns what was seen of one run of a room's numbering; it must be of one
// start, unless epochs are shared.
func (v *Verdict) run(room, epoch string, start int) *run {
	r := v.runs[runKey{room, epoch}]
	if r == nil {
		r = &run{start: start, names: make(map[uint64]Said)}
		v.runs[runKey{room, epoch}] = r
	}
	if r.start != start && !v.rec.Shared {
		v.Add(Renamed, "%s: epoch %s is of start %d and of start %d", room, epoch, r.start, start)
		r.start = start
	}
	return r
}

// name notes that a run of the numbering put a message at a place.
func (v *Verdict) name(room, epoch string, start int, p Placed) {
	r := v.run(room, epoch, start)
	was, taken := r.names[p.Seq]
	if !taken {
		r.names[p.Seq] = p.Said
	} else if was != p.Said {
		a, b := was.Value(), p.Said.Value()
		v.Add(Renamed, "%s: (%s, %d) is %s of %s (%d, %.40q) and %s of %s (%d, %.40q)",
			room, epoch, p.Seq, a.ID, a.User, a.Time, a.Text, b.ID, b.User, b.Time, b.Text)
	}
}

// vanished judges what was seen and is not in the history.
func (v *Verdict) vanished() {
	type survivor struct {
		room string
		Placed
	}
	gone := make(map[survivor]string)
	for _, key := range sortedRuns(v.runs) {
		r, final := v.runs[key], v.final[key.room]
		end := uint64(0)
		for seq, said := range r.names {
			if final[seq] == said {
				end = max(end, seq)
			}
		}
		for _, seq := range slices.Sorted(maps.Keys(r.names)) {
			said := r.names[seq]
			if final[seq] == said {
				continue
			}
			v.Vanished++
			id, lost := said.Value().ID, survivor{key.room, Placed{seq, said}}
			before, twice := gone[lost]
			gone[lost] = key.epoch
			switch {
			case v.rec.Shared:
				v.Add(Vanished, "%s: %s, seen at %d in epoch %s, is gone, and some node or the bus had it all the time", key.room, id, seq, key.epoch)
			case seq < end:
				v.Add(Vanished, "%s: %s, seen at %d in epoch %s, is gone, and %d of that epoch was kept", key.room, id, seq, key.epoch, end)
			case v.rec.Drained[r.start]:
				v.Add(Vanished, "%s: %s, seen at %d, is gone, and start %d ended cleanly", key.room, id, seq, r.start)
			case twice:
				v.Add(Vanished, "%s: %s, seen at %d in epoch %s and again in %s, is gone", key.room, id, seq, before, key.epoch)
			}
		}
	}
}

func sortedRuns(runs map[runKey]*run) []runKey {
	return slices.SortedFunc(maps.Keys(runs), func(a, b runKey) int {
		if runs[a].start != runs[b].start {
			return runs[a].start - runs[b].start
		}
		return slices.Compare([]string{a.room, a.epoch}, []string{b.room, b.epoch})
	})
}

// Stored is how many messages the history has.
func (v *Verdict) Stored() int { return len(v.places) }

// Epochs is how many runs of the numbering were met, over all rooms each once.
func (v *Verdict) Epochs() int {
	seen := make(map[string]bool)
	for key := range v.runs {
		seen[key.epoch] = true
	}
	return len(seen)
}
