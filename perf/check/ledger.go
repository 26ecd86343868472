package check

// Answers counts how messages were answered.
type Answers struct {
	Sent       int `json:"sent"`
	Acked      int `json:"acked"`       // exactly once
	Refused    int `json:"refused"`     // answered with an error that says it was not taken, exactly once
	Unsure     int `json:"unsure"`      // answered with an error that says nobody knows, and not acked since
	Missing    int `json:"missing"`     // never answered, though the connection lived
	Cut        int `json:"cut"`         // not answered when their connection ended
	Twice      int `json:"twice"`       // second and further answers
	Unknown    int `json:"unknown"`     // answers to what was never sent
	Late       int `json:"late"`        // answers after the account was closed
	WrongSeq   int `json:"wrong_seq"`   // acks whose seq is not the one the message was seen under
	WrongOwner int `json:"wrong_owner"` // answers on another connection than the sender's, or for another room
	Repeated   int `json:"repeated"`    // messages seen under a second seq
}

// Add counts what o counted.
func (a *Answers) Add(o Answers) {
	a.Sent += o.Sent
	a.Acked += o.Acked
	a.Refused += o.Refused
	a.Unsure += o.Unsure
	a.Missing += o.Missing
	a.Cut += o.Cut
	a.Twice += o.Twice
	a.Unknown += o.Unknown
	a.Late += o.Late
	a.WrongSeq += o.WrongSeq
	a.WrongOwner += o.WrongOwner
	a.Repeated += o.Repeated
}

// Ledger remembers every message that was sent since it was opened, by its number.
type Ledger struct {
	first   uint64 // number of slots[0]
	slots   []slot
	open    int // not answered
	answers Answers
}

type slot struct {
	due      int64
	seen     uint64 // seq of the message event; 0: not seen
	acked    uint64 // seq of the ack; 0: none
	client   int32
	room     int32
	answered bool
	unsure   bool // what was answered leaves it open; an ack may follow
	kept     bool
}

// Open forgets everything and makes room for about that many messages; numbers go on.
func (l *Ledger) Open(expected int) {
	l.first += uint64(len(l.slots))
	if cap(l.slots) < expected {
		l.slots = make([]slot, 0, expected)
	}
	l.slots, l.open, l.answers = l.slots[:0], 0, Answers{}
}

// Next is the number that Send will give.
func (l *Ledger) Next() uint64 { return l.first + uint64(len(l.slots)) }

// Send notes a message as sent. due is any unit of the caller's.
func (l *Ledger) Send(due int64, client, room int32) {
	l.slots = append(l.slots, slot{due: due, client: client, room: room})
	l.open++
	l.answers.Sent++
}

// Unanswered is how many messages have no answer yet.
func (l *Ledger) Unanswered() int { return l.open }

// Seen judges a message event of number n.
func (l *Ledger) Seen(n uint64, room int32, seq uint64) {
	s := l.find(n)
	if s == nil {
		return
	}
	switch {
	case s.room != room:
		l.answers.WrongOwner++
	case s.seen == 0:
		s.seen = seq
		if s.acked != 0 && s.acked != seq {
			l.answers.WrongSeq++
		}
	case s.seen != seq:
		l.answers.Repeated++
	}
}

// Acked judges an ack that came to client. The due time is that of Send; ok is
// false for an answer that is none.
func (l *Ledger) Acked(n uint64, client, room int32, seq uint64) (due int64, ok bool) {
	if s := l.find(n); s != nil && s.unsure {
		s.answered, s.unsure = false, false
		l.open++
		l.answers.Unsure--
	}
	s := l.answer(n, client, room)
	if s == nil {
		return 0, false
	}
	l.answers.Acked++
	s.acked = seq
	if s.seen != 0 && s.seen != seq {
		l.answers.WrongSeq++
	}
	return s.due, true
}

// Refused judges an error with the message's id.
func (l *Ledger) Refused(n uint64, client, room int32) {
	if l.answer(n, client, room) != nil {
		l.answers.Refused++
	}
}

// Unsure judges an error with the message's id after which nobody knows whether it
// was taken.
func (l *Ledger) Unsure(n uint64, client, room int32) {
	if s := l.answer(n, client, room); s != nil {
		s.unsure = true
		l.answers.Unsure++
	}
}

// Kept notes that the history holds message n of a room under that seq.
func (l *Ledger) Kept(n uint64, room int32, seq uint64) {
	if s := l.find(n); s != nil && s.room == room && (s.acked == 0 || s.acked == seq) {
		s.kept = true
	}
}

// Forgotten is how many messages were acked and not noted as Kept.
func (l *Ledger) Forgotten() int {
	n := 0
	for i := range l.slots {
		if l.slots[i].acked != 0 && !l.slots[i].kept {
			n++
		}
	}
	return n
}

// Each calls f for every message without an answer.
func (l *Ledger) Each(f func(client int32, n uint64)) {
	for i := range l.slots {
		if !l.slots[i].answered {
			f(l.slots[i].client, l.first+uint64(i))
		}
	}
}

// Close counts what was never answered; cut tells whether message n of a client
// fell to the end of a connection.
func (l *Ledger) Close(cut func(client int32, n uint64) bool) Answers {
	for i := range l.slots {
		s := &l.slots[i]
		switch {
		case s.answered:
		case cut(s.client, l.first+uint64(i)):
			l.answers.Cut++
		default:
			l.answers.Missing++
		}
	}
	return l.answers
}

func (l *Ledger) find(n uint64) *slot {
	if n < l.first || n-l.first >= uint64(len(l.slots)) {
		return nil
	}
	return &l.slots[n-l.first]
}

// answer finds the message and counts everything that is wrong with a first look at its answer.
func (l *Ledger) answer(n uint64, client, room int32) *slot {
	s := l.find(n)
	switch {
	case s == nil && n < l.first:
		l.answers.Late++
		return nil
	case s == nil:
		l.answers.Unknown++
		return nil
	case s.client != client || s.room != room:
		l.answers.WrongOwner++
		return nil
	case s.answered:
		l.answers.Twice++
		return nil
	}
	s.answered = true
	l.open--
	return s
}
