package verdict

import (
	"cmp"
	"slices"
)

// Pages of protocol.md section 3.
const (
	resumePage = 200
	newestPage = 50
)

// resumes judges every joined of the tape.
func (v *Verdict) resumes(tape *Tape) {
	for i := range tape.Events {
		e := &tape.Events[i]
		switch {
		case e.Kind != Joined:
		case e.Unasked:
			v.isPage(tape.Client, tape.Room, e)
		case e.Resume != nil:
			v.resumed(tape.Client, tape.Room, e)
		default:
			v.newest(tape.Client, tape.Room, e)
		}
	}
}

// newest judges the answer to a join without a cursor.
func (v *Verdict) newest(who, room string, e *Event) {
	if whole := uint64(len(e.Messages)) == e.Newest; e.Complete != whole {
		v.Add(Misresumed, "%s in %s: joined with %d of %d messages, complete %v", who, room, len(e.Messages), e.Newest, e.Complete)
	}
	v.isPage(who, room, e)
}

// isPage judges that the answer is a newest page.
func (v *Verdict) isPage(who, room string, e *Event) {
	if n := uint64(len(e.Messages)); n < min(newestPage, e.Newest) || n > resumePage {
		v.Add(Misresumed, "%s in %s: %d messages up to %d are no newest page", who, room, n, e.Newest)
	}
}

// resumed judges the answer to a join with a cursor.
func (v *Verdict) resumed(who, room string, e *Event) {
	v.Resumes++
	good, decided := v.within(room, e)
	switch {
	case decided:
	case v.rec.Shared:
		v.Unsure++
		good = e.Complete // whether what the client has then is right is seen at the end of its tape
	default:
		v.Add(Broken, "%s in %s: whether epoch %s has a %d is not known to the checker", who, room, e.Resume.Epoch, e.Resume.Seq)
		return
	}
	if decided && !good && e.Resume.Seq <= e.Newest && e.Newest-e.Resume.Seq <= resumePage {
		v.Taken++
	}
	whole := good && e.Newest-e.Resume.Seq <= resumePage
	if e.Complete != whole {
		v.Add(Misresumed, "%s in %s: cursor (%s, %d) resumed in epoch %s at %d by start %d: complete %v, want %v",
			who, room, e.Resume.Epoch, e.Resume.Seq, e.Epoch, e.Newest, e.Start, e.Complete, whole)
		return
	}
	if !whole {
		v.isPage(who, room, e)
		return
	}
	v.Whole++
	n := uint64(len(e.Messages))
	if n != e.Newest-e.Resume.Seq || n > 0 && e.Messages[0].Seq != e.Resume.Seq+1 {
		v.Add(Misresumed, "%s in %s: cursor (%s, %d) resumed in epoch %s at %d with %d messages, want exactly those after it",
			who, room, e.Resume.Epoch, e.Resume.Seq, e.Epoch, e.Newest, n)
	}
}

// within tells whether the cursor is within its epoch as it ended, or as it stood
// when it was asked about in the same one.
func (v *Verdict) within(room string, e *Event) (good, decided bool) {
	c := *e.Resume
	r := v.runs[runKey{room, c.Epoch}]
	switch {
	case c.Epoch == e.Epoch:
		return c.Seq <= e.Newest, true
	case r == nil || c.Seq > e.Newest:
		return false, true
	case c.Seq == 0:
		return true, true
	}
	said, seen := r.names[c.Seq]
	good = seen && said == v.final[room][c.Seq]
	return good, seen && (!good || !v.rec.Shared || c.Seq <= r.reach)
}

// Held is a cursor that a client had.
type Held struct {
	Room   string
	Cursor Cursor
	Used   bool // it resumed with it
	Dead   bool // its message is gone
}

// Cursors returns every cursor that a client had at any time, by start and place.
func (v *Verdict) Cursors() []Held {
	var all []Held
	for h, used := range v.held {
		r := v.runs[runKey{h.room, h.Epoch}]
		dead := r != nil && h.Seq > 0 && r.names[h.Seq] != v.final[h.room][h.Seq]
		all = append(all, Held{h.room, h.Cursor, used, dead})
	}
	start := func(h Held) int {
		if r := v.runs[runKey{h.Room, h.Cursor.Epoch}]; r != nil {
			return r.start
		}
		return 0
	}
	slices.SortFunc(all, func(a, b Held) int {
		return cmp.Or(cmp.Compare(a.Room, b.Room), cmp.Compare(start(a), start(b)), cmp.Compare(a.Cursor.Seq, b.Cursor.Seq))
	})
	return all
}

// Rejoined judges an answer that came after everything of the Record: its messages
// must be the history's.
func (v *Verdict) Rejoined(room string, e *Event) {
	const who = "at the end"
	if end := uint64(len(v.rec.History[room])); e.Newest != end {
		v.Add(Misresumed, "%s in %s: joined at %d, history ends at %d", who, room, e.Newest, end)
		return
	}
	v.rising(who+" in "+room+", joined", e.Messages, 0)
	for _, p := range e.Messages {
		if v.final[room][p.Seq] != p.Said {
			v.Add(Changed, "%s in %s: joined has %s at %d", who, room, p.Said.Value().ID, p.Seq)
		}
	}
	v.resumed(who, room, e)
}
