package verdict

import "fmt"

// Fault is a kind of broken promise.
type Fault string

// The kinds.
const (
	Lost       Fault = "lost"       // acked, and not in the history
	Doubled    Fault = "doubled"    // one id twice, or one event twice
	Reordered  Fault = "reordered"  // not in the order of seq, of the ack, or of the sender
	Hole       Fault = "holes"      // a seq that is missing
	Changed    Fault = "changed"    // another text, user or time than was sent or told before
	Renamed    Fault = "renamed"    // one (room, epoch, seq) for two messages
	Vanished   Fault = "vanished"   // seen, and gone though nothing excuses it
	Misacked   Fault = "misacked"   // two acks of one message that differ
	Misresumed Fault = "misresumed" // an answer to a cursor that the protocol does not allow
	Presence   Fault = "presence"   // a node that tells of others than are there
	Broken     Fault = "broken"     // anything else: no start, no answer, no protocol
)

// Kinds returns all kinds.
func Kinds() []Fault {
	return []Fault{Lost, Doubled, Reordered, Hole, Changed, Renamed, Vanished, Misacked, Misresumed, Presence, Broken}
}

// maxSentences bounds what is kept of each kind besides its count.
const maxSentences = 10

// Faults counts broken promises. Its zero value is empty.
type Faults struct {
	counts    map[Fault]int
	sentences []string
}

// Add counts one fault and keeps its sentence if there are not enough yet.
func (f *Faults) Add(kind Fault, format string, args ...any) {
	if f.counts == nil {
		f.counts = make(map[Fault]int)
	}
	f.counts[kind]++
	if f.counts[kind] <= maxSentences {
		f.sentences = append(f.sentences, string(kind)+": "+fmt.Sprintf(format, args...))
	}
}

// Count returns how many of one kind there are.
func (f *Faults) Count(kind Fault) int { return f.counts[kind] }

// Total returns how many there are.
func (f *Faults) Total() int {
	total := 0
	for _, n := range f.counts {
		total += n
	}
	return total
}

// Sentences returns what was kept, in the order of finding.
func (f *Faults) Sentences() []string { return f.sentences }
