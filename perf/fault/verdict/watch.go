package verdict

import "fmt"

// watcher replays a Tape as a good client lives it.
type watcher struct {
	v    *Verdict
	tape *Tape
	log  map[uint64]Said // what it has
	next uint64          // the live message that must come; 0: not joined yet
	from uint64          // where its log begins; 0: it has never joined
}

// watch judges what a client was told, and that it has the history at the end.
func (v *Verdict) watch(tape *Tape) {
	w := &watcher{v: v, tape: tape, log: make(map[uint64]Said)}
	for i := range tape.Events {
		e := &tape.Events[i]
		switch e.Kind {
		case Joined:
			w.joined(e)
		case Live:
			w.live(e)
		case Page:
			w.page(e)
		}
	}
	w.end()
}

func (w *watcher) who() string { return w.tape.Client + " in " + w.tape.Room }

// take puts messages of one epoch into the log.
func (w *watcher) take(e *Event) {
	for _, p := range e.Messages {
		w.put(e, p)
	}
}

func (w *watcher) put(e *Event, p Placed) {
	w.v.name(w.tape.Room, e.Epoch, e.Start, p)
	w.log[p.Seq] = p.Said
}

// hold notes a cursor that the client has now.
func (w *watcher) hold(epoch string, seq uint64) {
	h := held{w.tape.Room, Cursor{epoch, seq}}
	if _, known := w.v.held[h]; !known {
		w.v.held[h] = false
	}
}

func (w *watcher) joined(e *Event) {
	v, n := w.v, len(e.Messages)
	r := v.run(w.tape.Room, e.Epoch, e.Start)
	r.reach = max(r.reach, e.Newest)
	v.rising(w.who()+", joined", e.Messages, 0)
	if n > 0 && e.Messages[n-1].Seq != e.Newest {
		v.Add(Hole, "%s: joined with seq %d and messages up to %d", w.who(), e.Newest, e.Messages[n-1].Seq)
	}
	keep := e.Newest
	if e.Resume != nil {
		v.held[held{w.tape.Room, *e.Resume}] = true
		if e.Complete {
			keep = min(keep, e.Resume.Seq)
		}
	}
	for seq := range w.log {
		if seq > keep {
			delete(w.log, seq)
		}
	}
	w.take(e)
	if w.from == 0 {
		w.from = 1
		if n > 0 {
			w.from = e.Messages[0].Seq
		}
	}
	// Where nothing came after the cursor, the new epoch says that its message there is ours.
	if said, have := w.log[e.Newest]; have {
		v.name(w.tape.Room, e.Epoch, e.Start, Placed{e.Newest, said})
	}
	w.next = e.Newest + 1
	w.hold(e.Epoch, e.Newest)
}

func (w *watcher) live(e *Event) {
	for _, p := range e.Messages {
		switch {
		case w.next == 0:
			w.v.Add(Broken, "%s: a live message before joined", w.who())
		case p.Seq > w.next:
			w.v.Add(Hole, "%s: live %d follows on %d in epoch %s", w.who(), p.Seq, w.next-1, e.Epoch)
		case p.Seq == w.next:
		case w.log[p.Seq] == p.Said:
			w.v.Add(Doubled, "%s: live %d came twice in epoch %s", w.who(), p.Seq, e.Epoch)
		default:
			w.v.Add(Reordered, "%s: live %d follows on %d in epoch %s", w.who(), p.Seq, w.next-1, e.Epoch)
		}
		w.next = max(w.next, p.Seq+1)
		w.hold(e.Epoch, p.Seq)
		w.put(e, p)
	}
}

func (w *watcher) page(e *Event) {
	where := fmt.Sprintf("%s, history before %d", w.who(), e.Before)
	w.v.rising(where, e.Messages, 0)
	n := len(e.Messages)
	switch {
	case n > 0 && e.Before > 0 && e.Messages[n-1].Seq != e.Before-1:
		w.v.Add(Hole, "%s: ends at %d", where, e.Messages[n-1].Seq)
	case n == 0 && e.Before > 1:
		w.v.Add(Hole, "%s: empty", where)
	case n > 0 && e.More != (e.Messages[0].Seq > 1):
		w.v.Add(Broken, "%s: begins at %d, more %v", where, e.Messages[0].Seq, e.More)
	}
	w.take(e)
}

// end compares the log with the history.
func (w *watcher) end() {
	final := w.v.final[w.tape.Room]
	if w.from == 0 {
		w.v.Add(Broken, "%s: never joined", w.who())
		return
	}
	missing, first := 0, uint64(0)
	for seq, said := range final {
		if seq < w.from {
			continue
		}
		have, found := w.log[seq]
		switch {
		case !found:
			if missing++; first == 0 || seq < first {
				first = seq
			}
		case have != said:
			w.v.Add(Changed, "%s: has %s at %d, history %s", w.who(), have.Value().ID, seq, said.Value().ID)
		}
	}
	if missing > 0 {
		w.v.Add(Hole, "%s: never got %d messages, the first at %d", w.who(), missing, first)
	}
	for seq := range w.log {
		if _, found := final[seq]; !found {
			w.v.Add(Changed, "%s: has %s at %d, history nothing", w.who(), w.log[seq].Value().ID, seq)
		}
	}
}
