package crowd

import "nebula/perf/fault/verdict"

// log is what a member has of its room: everything from a place on, up to its
// cursor, and maybe more behind a gap.
type log struct {
	from   uint64          // the place of said[0]; 0: nothing yet
	said   []verdict.Said  // zero where something is missing
	cursor *verdict.Cursor // nil: never joined
}

// begin says from where on the member has to have everything, if it is new.
func (l *log) begin(seq uint64) {
	if l.from == 0 {
		l.from = seq
	}
}

// cut forgets what stands after seq.
func (l *log) cut(seq uint64) {
	switch {
	case seq < l.from:
		l.said = l.said[:0]
	case seq-l.from+1 < uint64(len(l.said)):
		l.said = l.said[:seq-l.from+1]
	}
}

// put takes messages, and reports whether it had one of them at the same place already.
func (l *log) put(all []verdict.Placed) (known bool) {
	for _, p := range all {
		l.begin(p.Seq)
		if p.Seq < l.from {
			continue
		}
		for p.Seq >= l.from+uint64(len(l.said)) {
			l.said = append(l.said, verdict.Said{})
		}
		at := &l.said[p.Seq-l.from]
		known = known || *at == p.Said
		*at = p.Said
	}
	return known
}

// fill is the closing of the gap that a newest page leaves behind.
type fill struct {
	open   bool
	before uint64         // what was asked for, or is to be
	again  int64          // Unix ms: when to ask again, after a refusal; 0: an answer is due
	skip   int            // answers that are due to questions of before the server told joined by itself
	newest verdict.Cursor // the cursor once it is closed
}
