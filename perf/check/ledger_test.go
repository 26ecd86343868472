package check

import "testing"

// account opens a ledger and sends three messages of client 5 to room 2.
func account() *Ledger {
	l := new(Ledger)
	l.Open(3)
	for due := range int64(3) {
		l.Send(due+100, 5, 2)
	}
	return l
}

func nothingCut(int32, uint64) bool { return false }

func TestLedger_SeesEveryFault(t *testing.T) {
	answer := func(l *Ledger, numbers ...uint64) {
		for _, n := range numbers {
			l.Acked(n, 5, 2, n+1)
		}
	}
	for name, c := range map[string]struct {
		do   func(*Ledger)
		want Answers
	}{
		"good":         {func(l *Ledger) { answer(l, 0, 1, 2) }, Answers{Sent: 3, Acked: 3}},
		"missing ack":  {func(l *Ledger) { answer(l, 0, 2) }, Answers{Sent: 3, Acked: 2, Missing: 1}},
		"no ack":       {func(*Ledger) {}, Answers{Sent: 3, Missing: 3}},
		"acked twice":  {func(l *Ledger) { answer(l, 0, 1, 1, 2) }, Answers{Sent: 3, Acked: 3, Twice: 1}},
		"never sent":   {func(l *Ledger) { answer(l, 0, 1, 2, 3) }, Answers{Sent: 3, Acked: 3, Unknown: 1}},
		"refused":      {func(l *Ledger) { answer(l, 0, 1); l.Refused(2, 5, 2) }, Answers{Sent: 3, Acked: 2, Refused: 1}},
		"both":         {func(l *Ledger) { answer(l, 0, 1, 2); l.Refused(2, 5, 2) }, Answers{Sent: 3, Acked: 3, Twice: 1}},
		"other client": {func(l *Ledger) { answer(l, 0, 1); l.Acked(2, 6, 2, 3) }, Answers{Sent: 3, Acked: 2, WrongOwner: 1, Missing: 1}},
		"other room":   {func(l *Ledger) { answer(l, 0, 1); l.Acked(2, 5, 3, 3) }, Answers{Sent: 3, Acked: 2, WrongOwner: 1, Missing: 1}},
		"seen elsewhere": {
			func(l *Ledger) { answer(l, 0, 1, 2); l.Seen(0, 9, 1) }, Answers{Sent: 3, Acked: 3, WrongOwner: 1},
		},
		"ack of another seq": {
			func(l *Ledger) { answer(l, 0, 1, 2); l.Seen(0, 2, 7) }, Answers{Sent: 3, Acked: 3, WrongSeq: 1},
		},
		"another seq, ack last": {
			func(l *Ledger) { l.Seen(0, 2, 7); answer(l, 0, 1, 2) }, Answers{Sent: 3, Acked: 3, WrongSeq: 1},
		},
		"two messages of one id": {
			func(l *Ledger) { answer(l, 0, 1, 2); l.Seen(0, 2, 1); l.Seen(0, 2, 1); l.Seen(0, 2, 8) },
			Answers{Sent: 3, Acked: 3, Repeated: 1},
		},
	} {
		l := account()
		c.do(l)
		if got := l.Close(nothingCut); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestLedger_CutIsNotMissing(t *testing.T) {
	l := account()
	l.Acked(0, 5, 2, 1)
	got := l.Close(func(client int32, n uint64) bool { return client == 5 && n < 2 })
	if want := (Answers{Sent: 3, Acked: 1, Cut: 1, Missing: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLedger_NumbersGoOn(t *testing.T) {
	l := account()
	l.Open(1)
	if l.Next() != 3 {
		t.Errorf("got %d, want 3", l.Next())
	}
	l.Send(7, 1, 1)
	l.Acked(2, 5, 2, 3)
	if due, ok := l.Acked(3, 1, 1, 4); !ok || due != 7 {
		t.Errorf("got due %d %v, want 7", due, ok)
	}
	if got, want := l.Close(nothingCut), (Answers{Sent: 1, Acked: 1, Late: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestLedger_ForgottenIsWhatWasAckedAndNotKept(t *testing.T) {
	var l Ledger
	l.Open(4)
	first := l.Next()
	for range 4 {
		l.Send(0, 1, 2)
	}
	for n := range uint64(3) { // the last is not acked, and may be gone
		l.Acked(first+n, 1, 2, 10+n)
	}
	l.Kept(first, 2, 10)
	l.Kept(first+1, 2, 99) // another seq
	l.Kept(first+2, 3, 12) // another room
	if got := l.Forgotten(); got != 2 {
		t.Errorf("got %d forgotten, want 2", got)
	}
}

func TestLedger_AckMayFollowWhenNobodyKnew(t *testing.T) {
	var l Ledger
	l.Open(2)
	n := l.Next()
	l.Send(0, 1, 2)
	l.Send(0, 1, 2)
	l.Unsure(n, 1, 2)
	l.Unsure(n+1, 1, 2)
	if _, ok := l.Acked(n, 1, 2, 7); !ok || l.Unanswered() != 0 {
		t.Errorf("an ack after an open end: got %v, %d unanswered", ok, l.Unanswered())
	}
	l.Acked(n, 1, 2, 7)
	if got, want := l.Close(func(int32, uint64) bool { return false }), (Answers{Sent: 2, Acked: 1, Unsure: 1, Twice: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
