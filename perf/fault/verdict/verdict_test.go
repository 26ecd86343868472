package verdict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const (
	room = "r"
	user = "u"
)

// said is message n of the only sender.
func said(n int) Said { return Say(Message{User: user, ID: fmt.Sprint("m", n), Text: "x", Time: 1000}) }

// places puts messages one after the other, the first at from.
func places(from uint64, numbers ...int) []Placed {
	var all []Placed
	for i, n := range numbers {
		all = append(all, Placed{from + uint64(i), said(n)})
	}
	return all
}

// story is a run of two starts, in which nothing is wrong. Start 1 takes messages 1
// to 3 at 1 to 3 and is killed before it commits and acks 3; start 2 takes message 3
// at 3 again, behind message 4, which overtook it: 4 at 3, and 3 at 4. Its sender
// got an error for it in between.
func story() *Record {
	rec := &Record{Sent: make(map[Key]Sent), Drained: make(map[int]bool), History: make(map[string][]Placed)}
	for n := 1; n <= 4; n++ {
		rec.Sent[key(n)] = Sent{Text: "x", Order: n, Refused: n == 3}
	}
	rec.Acks = []Ack{ack(1, 1, 1), ack(2, 1, 2), ack(4, 2, 3), ack(3, 2, 4), ack(1, 2, 1)}
	rec.History[room] = places(1, 1, 2, 4, 3)
	rec.Tapes = []Tape{{Client: "c", Room: room, Events: []Event{
		{Kind: Joined, Start: 1, Epoch: "e1", Complete: true},
		{Kind: Live, Start: 1, Epoch: "e1", Messages: places(1, 1, 2, 3)},
		// Its cursor (e1, 3) is beyond the end of e1, which is 2.
		{Kind: Joined, Start: 2, Epoch: "e2", Resume: &Cursor{"e1", 3}, Newest: 3, Messages: places(1, 1, 2, 4)},
		{Kind: Live, Start: 2, Epoch: "e2", Messages: places(4, 3)},
	}}}
	return rec
}

func key(n int) Key { return Key{room, user, fmt.Sprint("m", n)} }

func ack(n, start int, seq uint64) Ack {
	return Ack{Key: key(n), Start: start, Epoch: fmt.Sprint("e", start), Seq: seq, Time: 1000}
}

func event(rec *Record, n int) *Event { return &rec.Tapes[0].Events[n] }

func TestJudge_KeptPromises(t *testing.T) {
	v := Judge(story())
	if v.Total() != 0 {
		t.Errorf("got %q", v.Sentences())
	}
	if v.Acked != 4 || v.Vanished != 1 || v.Resumes != 1 || v.Whole != 0 || v.Taken != 1 || v.Stored() != 4 || v.Epochs() != 2 {
		t.Errorf("got %d acked, %d vanished, %d resumes, %d whole, %d taken, %d stored, %d epochs",
			v.Acked, v.Vanished, v.Resumes, v.Whole, v.Taken, v.Stored(), v.Epochs())
	}
}

// Every kind of broken promise, put into the story one at a time, must be found
// under its name, and its message be named.
func TestJudge_SeesEveryFault(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*Record)
		kind  Fault
		names string
	}{
		"an acked message is gone": {
			func(rec *Record) { rec.History[room] = places(1, 1, 2, 4) }, Lost, "m3",
		},
		"the middle one is gone, the rest moved up": {
			func(rec *Record) { rec.History[room] = places(1, 1, 4, 3) }, Lost, "m2",
		},
		"history has a hole": {
			func(rec *Record) { rec.History[room][3].Seq = 5 }, Hole, "5 follows on 3",
		},
		"history begins at 2": {
			func(rec *Record) { rec.History[room] = rec.History[room][1:] }, Hole, "2 follows on 0",
		},
		"history has one twice": {
			func(rec *Record) { rec.History[room] = places(1, 1, 2, 4, 3, 2) }, Doubled, "m2",
		},
		"history has a place twice": {
			func(rec *Record) { rec.History[room][2].Seq = 2 }, Reordered, "2 follows on 2",
		},
		"a resend became another message": {
			func(rec *Record) { rec.Acks[4].Seq = 5 }, Misacked, "m1",
		},
		"a resend is acked with another time": {
			func(rec *Record) { rec.Acks[4].Time++ }, Misacked, "m1",
		},
		"acked at another place than it stands": {
			func(rec *Record) { rec.Acks = rec.Acks[:2]; rec.Acks[1].Seq = 4 }, Reordered, "m2",
		},
		"acked with another time than history's": {
			func(rec *Record) { rec.Acks[1].Time++ }, Changed, "m2",
		},
		"one overtook though nothing was refused": {
			func(rec *Record) { rec.Sent[key(3)] = Sent{Text: "x", Order: 3} }, Reordered, "m3",
		},
		"another text than was sent": {
			func(rec *Record) { rec.Sent[key(2)] = Sent{Text: "y", Order: 2} }, Changed, "m2",
		},
		"a message that nobody sent": {
			func(rec *Record) { delete(rec.Sent, key(2)) }, Changed, "m2",
		},
		"live: one is missing": {
			func(rec *Record) { event(rec, 1).Messages = append(places(1, 1), places(3, 3)...) }, Hole, "live 3 follows on 1",
		},
		"live: one comes twice": {
			func(rec *Record) { event(rec, 1).Messages = append(places(1, 1, 2), places(2, 2, 3)...) }, Doubled, "live 2",
		},
		"live: swapped": {
			func(rec *Record) { e := event(rec, 1); e.Messages[0], e.Messages[1] = e.Messages[1], e.Messages[0] }, Reordered, "live 1",
		},
		"live before joined": {
			func(rec *Record) { rec.Tapes[0].Events = rec.Tapes[0].Events[1:] }, Broken, "before joined",
		},
		"a gap between joined and live": {
			func(rec *Record) { event(rec, 2).Newest--; event(rec, 2).Messages = places(1, 1, 2) }, Hole, "live 4 follows on 2",
		},
		"a client saw another message there": {
			func(rec *Record) { event(rec, 3).Messages = places(4, 1) }, Changed, "m1 at 4",
		},
		"a client never got the last": {
			func(rec *Record) { rec.Tapes[0].Events = rec.Tapes[0].Events[:3] }, Hole, "never got 1",
		},
		"a client never joined": {
			func(rec *Record) { rec.Tapes[0].Events = nil }, Broken, "never joined",
		},
		"the epoch stayed over a restart": {
			func(rec *Record) {
				for n := range 2 {
					event(rec, 2+n).Epoch = "e1"
				}
			}, Renamed, "m4",
		},
		"a dead cursor is resumed as if it lived": {
			func(rec *Record) { event(rec, 2).Complete = true; event(rec, 2).Messages = nil }, Misresumed, "(e1, 3)",
		},
		"a good cursor is not known": {
			func(rec *Record) { event(rec, 2).Resume.Seq = 2 }, Misresumed, "complete false, want true",
		},
		"a resume begins too late": {
			func(rec *Record) { e := event(rec, 2); e.Resume.Seq, e.Complete, e.Messages = 1, true, places(3, 4) }, Misresumed, "(e1, 1)",
		},
		"a resume begins too early": {
			func(rec *Record) { e := event(rec, 2); e.Resume.Seq, e.Complete = 2, true }, Misresumed, "(e1, 2)",
		},
		"a resume has a hole": {
			func(rec *Record) {
				e := event(rec, 2)
				e.Resume.Seq, e.Complete, e.Messages = 1, true, append(places(1, 1), places(3, 4)...)
			}, Hole, "3 follows on 1",
		},
		"joined says another seq than its messages": {
			func(rec *Record) { event(rec, 2).Newest = 4 }, Hole, "messages up to 3",
		},
		"the newest page is too short": {
			func(rec *Record) { event(rec, 2).Messages = places(3, 4) }, Misresumed, "no newest page",
		},
		"a first join is not whole and says so not": {
			func(rec *Record) { event(rec, 0).Complete = false }, Misresumed, "complete false",
		},
		"seen, and gone after a clean stop": {
			func(rec *Record) { rec.Drained[1] = true }, Vanished, "m3",
		},
		"seen, and gone though a later one was kept": {
			func(rec *Record) { rec.Acks, rec.History[room] = rec.Acks[:1], places(1, 1, 4, 3) }, Vanished, "m2",
		},
		"a page of history ends too early": {
			func(rec *Record) { addPage(rec, Event{Before: 4, Messages: places(1, 1, 2)}) }, Hole, "ends at 2",
		},
		"a page of history is empty": {
			func(rec *Record) { addPage(rec, Event{Before: 4}) }, Hole, "empty",
		},
		"a page of history promises more": {
			func(rec *Record) { addPage(rec, Event{Before: 3, More: true, Messages: places(1, 1, 2)}) }, Broken, "more true",
		},
		"a page of history has another message": {
			func(rec *Record) { addPage(rec, Event{Before: 3, Messages: places(1, 1, 3)}) }, Renamed, "m3",
		},
	} {
		rec := story()
		c.spoil(rec)
		v := Judge(rec)
		if v.Count(c.kind) == 0 {
			t.Errorf("%s: got %q, want %s", name, v.Sentences(), c.kind)
			continue
		}
		if !slices.ContainsFunc(v.Sentences(), func(s string) bool { return strings.Contains(s, c.names) }) {
			t.Errorf("%s: nothing of %q names %q", name, v.Sentences(), c.names)
		}
	}
}

func addPage(rec *Record, e Event) {
	e.Kind, e.Start, e.Epoch = Page, 2, "e2"
	rec.Tapes[0].Events = append(rec.Tapes[0].Events, e)
}

// What was there when a start began had been committed: it may not go with that start's death.
func TestJudge_SurvivorMayNotVanish(t *testing.T) {
	rec := story()
	rec.Acks = nil
	rec.Tapes[0].Events = rec.Tapes[0].Events[:3]
	rec.Tapes[0].Events = append(rec.Tapes[0].Events,
		Event{Kind: Joined, Start: 3, Epoch: "e3", Resume: &Cursor{"e2", 3}, Newest: 1, Messages: places(1, 1)})
	rec.History[room] = places(1, 1)
	if v := Judge(rec); v.Count(Vanished) != 1 || !strings.Contains(v.Sentences()[0], "m2, seen at 2 in epoch e1 and again in e2") {
		t.Errorf("got %q, want m2 vanished", v.Sentences())
	}
}

func TestVerdict_Cursors(t *testing.T) {
	v := Judge(story())
	got := map[Cursor][2]bool{}
	for _, h := range v.Cursors() {
		got[h.Cursor] = [2]bool{h.Used, h.Dead}
	}
	want := map[Cursor][2]bool{
		{"e1", 0}: {}, {"e1", 1}: {}, {"e1", 2}: {}, {"e1", 3}: {true, true}, {"e2", 3}: {}, {"e2", 4}: {},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestVerdict_Rejoined(t *testing.T) {
	good := func() *Event {
		return &Event{Kind: Joined, Start: 3, Epoch: "e3", Resume: &Cursor{"e1", 2}, Newest: 4, Complete: true, Messages: places(3, 4, 3)}
	}
	for name, c := range map[string]struct {
		spoil func(*Event)
		kind  Fault
	}{
		"good":             {func(*Event) {}, ""},
		"another newest":   {func(e *Event) { e.Newest = 3 }, Misresumed},
		"not known":        {func(e *Event) { e.Complete = false }, Misresumed},
		"dead, said alive": {func(e *Event) { e.Resume.Seq = 3; e.Messages = places(4, 3) }, Misresumed},
		"one too few":      {func(e *Event) { e.Messages = places(4, 3) }, Misresumed},
		"another message":  {func(e *Event) { e.Messages = places(3, 4, 1) }, Changed},
	} {
		v := Judge(story())
		e := good()
		c.spoil(e)
		v.Rejoined(room, e)
		if c.kind == "" && v.Total() != 0 || c.kind != "" && v.Count(c.kind) == 0 {
			t.Errorf("%s: got %q, want %q", name, v.Sentences(), c.kind)
		}
	}
}

func TestFaults_Sample(t *testing.T) {
	acks := []Ack{ack(1, 1, 1), ack(2, 1, 2), ack(4, 2, 3)}
	for name, c := range map[string]struct {
		stretch []Placed
		kind    Fault
	}{
		"good":                  {places(1, 1, 2, 4), ""},
		"part":                  {places(2, 2), ""},
		"beyond what was acked": {places(3, 4, 3), ""},
		"another one there":     {places(2, 3), Lost},
		"hole":                  {append(places(1, 1), places(3, 4)...), Hole},
	} {
		var f Faults
		f.Sample(room, 2, c.stretch, acks)
		if c.kind == "" && f.Total() != 0 || c.kind != "" && f.Count(c.kind) != 1 {
			t.Errorf("%s: got %q, want %q", name, f.Sentences(), c.kind)
		}
	}
}

func TestFaults_Agree(t *testing.T) {
	of := func(all ...int) map[string][]Placed { return map[string][]Placed{room: places(1, all...)} }
	for name, c := range map[string]struct {
		got  map[string][]Placed
		kind Fault
	}{
		"the same":   {of(1, 2, 3), ""},
		"one fewer":  {of(1, 2), Lost},
		"one more":   {of(1, 2, 3, 4), Lost},
		"swapped":    {of(1, 3, 2), Changed},
		"no room":    {nil, Lost},
		"other seqs": {map[string][]Placed{room: places(2, 1, 2, 3)}, Changed},
	} {
		var f Faults
		f.Agree("n2", of(1, 2, 3), c.got)
		if c.kind == "" && f.Total() != 0 || c.kind != "" && f.Count(c.kind) == 0 {
			t.Errorf("%s: got %q, want %q", name, f.Sentences(), c.kind)
		}
	}
}

// In a cluster the bus gives epochs: a node that starts again goes on in the same one,
// and what was seen on one node is on the others or on the bus.
func TestJudge_Cluster(t *testing.T) {
	rec := story()
	rec.Shared = true
	event(rec, 3).Start = 3
	if v := Judge(rec); v.Total() != 1 || v.Count(Vanished) != 1 {
		t.Errorf("m3 was seen in e1 and is gone: got %q", v.Sentences())
	}
	rec.Shared = false
	if v := Judge(rec); v.Count(Renamed) == 0 {
		t.Error("alone, an epoch of two starts was not seen")
	}
}

// Where epochs are shared the next one may begin unnoticed: whether (e1, 2), which came
// live, is of e1 nobody knows, and both answers are right; but a whole one is exact.
func TestJudge_UnnoticedEpoch(t *testing.T) {
	for name, c := range map[string]struct {
		spoil  func(*Record)
		unsure int
		faults int
	}{
		"not whole":           {func(*Record) {}, 1, 0},
		"whole":               {func(rec *Record) { e := event(rec, 2); e.Complete, e.Messages = true, places(3, 4) }, 1, 0},
		"whole, and too much": {func(rec *Record) { event(rec, 2).Complete = true }, 1, 1},
		"e1 went on to 3": {func(rec *Record) {
			rec.Tapes = append(rec.Tapes, Tape{Client: "d", Room: room, Events: []Event{
				{Kind: Joined, Epoch: "e1", Newest: 2, Complete: true, Messages: places(1, 1, 2)},
				{Kind: Live, Epoch: "e1", Messages: places(3, 4, 3)},
			}})
		}, 0, 1},
	} {
		rec := story()
		rec.Shared = true
		event(rec, 1).Messages = places(1, 1, 2)
		event(rec, 2).Resume = &Cursor{"e1", 2}
		c.spoil(rec)
		if v := Judge(rec); v.Unsure != c.unsure || v.Total() != c.faults || v.Count(Misresumed) != c.faults {
			t.Errorf("%s: %d unsure, %q", name, v.Unsure, v.Sentences())
		}
	}
}

// A server tells joined by itself when what it had told is not what the room is.
func TestJudge_UnaskedJoined(t *testing.T) {
	rec := story()
	e := event(rec, 2)
	e.Unasked, e.Resume = true, nil
	if v := Judge(rec); v.Total() != 0 || v.Resumes != 0 {
		t.Errorf("got %q, %d resumes", v.Sentences(), v.Resumes)
	}
	e.Messages = places(3, 4)
	if v := Judge(rec); v.Count(Misresumed) != 1 {
		t.Errorf("a page that is too short: got %q", v.Sentences())
	}
}

// A thousand faults of one kind are counted, and ten told.
func TestFaults_TellsSomeAndCountsAll(t *testing.T) {
	var f Faults
	for n := range 1000 {
		f.Add(Lost, "m%d", n)
	}
	f.Add(Hole, "one")
	if f.Count(Lost) != 1000 || f.Total() != 1001 || len(f.Sentences()) != maxSentences+1 {
		t.Errorf("got %d, %d in all, %d sentences", f.Count(Lost), f.Total(), len(f.Sentences()))
	}
}
