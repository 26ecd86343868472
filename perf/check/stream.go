package check

// Tally counts what the streams of a loop saw.
type Tally struct {
	Taken      int `json:"taken"`      // numbers that came in order
	Recovered  int `json:"recovered"`  // holes that history filled
	Lost       int `json:"lost"`       // numbers skipped and never seen since
	Doubled    int `json:"doubled"`    // numbers that came again
	Misordered int `json:"misordered"` // numbers that came after a later one
}

// Add counts what o counted.
func (t *Tally) Add(o Tally) {
	t.Taken += o.Taken
	t.Recovered += o.Recovered
	t.Lost += o.Lost
	t.Doubled += o.Doubled
	t.Misordered += o.Misordered
}

// Stream is what one member saw of one room.
type Stream struct {
	next  uint64 // what must come
	holes *[]hole
}

// hole is a run of numbers that were skipped: from, up to and without to.
type hole struct{ from, to uint64 }

// Start begins after seq, the newest message when the member joined. Holes are forgotten.
func (s *Stream) Start(seq uint64) { s.next, s.holes = seq+1, nil }

// Next is the number that must come.
func (s *Stream) Next() uint64 { return s.next }

// Advance is Take of the number that must come, for a caller who compared it.
func (s *Stream) Advance(t *Tally) {
	s.next++
	t.Taken++
}

// Take judges a live message; it reports whether the member had not seen it yet.
func (s *Stream) Take(seq uint64, t *Tally) bool {
	switch {
	case seq == s.next:
		s.Advance(t)
		return true
	case seq > s.next:
		s.Skip(seq, t)
		s.Advance(t)
		return true
	case s.fill(seq):
		t.Lost--
		t.Misordered++
		return true
	}
	t.Doubled++
	return false
}

// Fill judges a message of the history: it may close a hole, and may repeat what
// was seen. It reports whether it closed one.
func (s *Stream) Fill(seq uint64, t *Tally) bool {
	if !s.fill(seq) {
		return false
	}
	t.Lost--
	t.Recovered++
	return true
}

// Hole is the end of the newest hole, the number after what is missing, and false
// where nothing is.
func (s *Stream) Hole() (end uint64, open bool) {
	if s.holes == nil || len(*s.holes) == 0 {
		return 0, false
	}
	all := *s.holes
	return all[len(all)-1].to, true
}

// Skip goes on at a later number: what lies before it is a hole.
func (s *Stream) Skip(to uint64, t *Tally) {
	if to <= s.next {
		return
	}
	t.Lost += int(to - s.next)
	if s.holes == nil {
		s.holes = new([]hole)
	}
	*s.holes = append(*s.holes, hole{s.next, to})
	s.next = to
}

// fill takes seq out of the hole it is in, if any.
func (s *Stream) fill(seq uint64) bool {
	if s.holes == nil {
		return false
	}
	all := *s.holes
	for i := range all {
		h := &all[i]
		if seq < h.from || seq >= h.to {
			continue
		}
		switch {
		case h.to-h.from == 1:
			*s.holes = append(all[:i], all[i+1:]...)
		case seq == h.from:
			h.from++
		case seq == h.to-1:
			h.to--
		default:
			end := h.to
			h.to = seq
			*s.holes = append(all[:i+1], append([]hole{{seq + 1, end}}, all[i+1:]...)...)
		}
		return true
	}
	return false
}
