package verdict

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
