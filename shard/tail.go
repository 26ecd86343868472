package shard

import (
	"bytes"
	"nebula/frame"
	"slices"
	"sort"
)

// A room keeps its newest messages in memory: more than a page of the protocol, so
// that no join needs the database, or, where there is none, as many as
// operations.md promises. They are cut when there are a quarter more.
const (
	tailKeep   = 256
	memoryKeep = 1024
)

// tail is the newest messages of a room: everything that is not committed yet and
// at least tailKeep (memoryKeep) of the others.
type tail struct {
	bodies []*frame.Buf // stamped, a reference each
	epochs []uint64     // of each
	more   bool         // older ones are stored
}

func (t *tail) add(body *frame.Buf, epoch uint64) {
	t.bodies = append(t.bodies, body)
	t.epochs = append(t.epochs, epoch)
}

// cut drops what is neither needed nor uncommitted; stored: it is to be had from
// History.
func (t *tail) cut(keep int, committed Pos, stored bool) {
	n := len(t.bodies) - keep
	if n < keep/4 {
		return
	}
	for n > 0 && t.pos(n-1).above(committed) {
		n--
	}
	if n == 0 {
		return
	}
	for _, body := range t.bodies[:n] {
		body.Release()
	}
	rest := copy(t.bodies, t.bodies[n:])
	clear(t.bodies[rest:])
	t.bodies = t.bodies[:rest]
	t.epochs = t.epochs[:copy(t.epochs, t.epochs[n:])]
	t.more = stored
}

// pos is the place of the message at index i.
func (t *tail) pos(i int) Pos { return Pos{t.epochs[i], t.bodies[i].Seq()} }

// insert adds a message whose place is before the newest, and takes the reference. On
// false, which says that older ones than the place are not in memory, the caller keeps it.
func (t *tail) insert(body *frame.Buf, pos Pos) bool {
	i := len(t.bodies)
	for i > 0 && t.pos(i-1).above(pos) {
		i--
	}
	if i == 0 && t.more {
		return false
	}
	t.bodies = slices.Insert(t.bodies, i, body)
	t.epochs = slices.Insert(t.epochs, i, pos.Epoch)
	return true
}

// remove drops the message at a place; false: it is not in memory.
func (t *tail) remove(pos Pos) bool {
	for i := range t.bodies {
		if t.pos(i) == pos {
			t.bodies[i].Release()
			t.bodies, t.epochs = slices.Delete(t.bodies, i, i+1), slices.Delete(t.epochs, i, i+1)
			return true
		}
	}
	return false
}

// epochOf returns the epoch of the newest message with the number seq and, unless it is
// nil, that id; 0: it is not in memory, and so durable.
func (t *tail) epochOf(seq uint64, id []byte) uint64 {
	is := func(i int) bool { return t.bodies[i].Seq() == seq && (id == nil || bytes.Equal(t.bodies[i].ID(), id)) }
	last := len(t.bodies) - 1
	if last < 0 {
		return 0
	}
	if i := last - int(t.bodies[last].Seq()-seq); i >= 0 && i <= last && t.epochs[i] == t.epochs[last] && is(i) {
		return t.epochs[i] // as a rule
	}
	for i := last; i >= 0; i-- {
		if is(i) {
			return t.epochs[i]
		}
	}
	return 0
}

func (t *tail) release() {
	for _, body := range t.bodies {
		body.Release()
	}
	*t = tail{}
}

// below returns the number of messages with a seq below before (0: all).
func (t *tail) below(before uint64) int {
	n := len(t.bodies)
	if before == 0 {
		return n
	}
	for n > 0 && t.bodies[n-1].Seq() >= before {
		n--
	}
	return n
}

// page returns at most limit messages that end at index end and whose payloads
// have at most maxBytes, but one if there is one, and whether older ones exist.
func (t *tail) page(end, limit, maxBytes int) (page []*frame.Buf, more bool) {
	start := end
	for start > 0 && end-start < limit {
		size := len(t.bodies[start-1].Payload())
		if maxBytes -= size; maxBytes < 0 && start < end {
			break
		}
		start--
	}
	return t.bodies[start:end], start > 0 || t.more
}

// payloadBytes is how much the messages of a page take in an answer.
func payloadBytes(page []*frame.Buf) (n int) {
	for _, body := range page {
		n += len(body.Payload())
	}
	return n
}

// after returns the index of the first message after the cursor, in a room whose
// newest message has the number seq. false: the tail cannot tell, because the
// cursor's epoch is not one of epochs, or ended before it, or because the message
// that follows the cursor is not in memory any more.
func (t *tail) after(cursor Pos, seq uint64, epochs []uint64) (int, bool) {
	if _, known := slices.BinarySearch(epochs, cursor.Epoch); !known {
		return 0, false
	}
	// A seq that an ended epoch gave to a message that was never committed may be
	// given again by the next one: the cursor must not be past its own epoch's end.
	n := sort.Search(len(t.epochs), func(i int) bool { return t.epochs[i] > cursor.Epoch })
	end := uint64(0)
	switch {
	case n == len(t.bodies): // the room has no later epoch
		end = seq
	case n > 0:
		// Where the later one gave seqs again, its message may be the one that the client
		// saw: an epoch is told by joined only, and it did not join since.
		end = min(t.bodies[n-1].Seq(), t.bodies[n].Seq()-1)
	case t.more:
		return 0, false
	}
	if cursor.Seq > end {
		return 0, false
	}
	i := len(t.bodies)
	for i > 0 && (t.epochs[i-1] > cursor.Epoch || t.bodies[i-1].Seq() > cursor.Seq) {
		i--
	}
	first := seq + 1
	if i < len(t.bodies) {
		first = t.bodies[i].Seq()
	}
	return i, first <= cursor.Seq+1
}
