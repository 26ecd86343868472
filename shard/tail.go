package shard

import (
	"nebula/frame"
	"slices"
	"sort"
)

// The tail keeps at least tailKeep messages, more than one page of the protocol,
// and is cut when it has twice as many.
const tailKeep = 256

// tail is the newest messages of a room: everything that is not committed yet and
// at least tailKeep of the others.
type tail struct {
	bodies []*frame.Buf // stamped, a reference each
	epochs []uint64     // of each
	more   bool         // older ones are stored (or were dropped)
}

func (t *tail) add(body *frame.Buf, epoch uint64) {
	t.bodies = append(t.bodies, body)
	t.epochs = append(t.epochs, epoch)
}

// cut drops what is neither needed nor uncommitted.
func (t *tail) cut(keep int, committed uint64) {
	n := len(t.bodies) - keep
	if n < keep {
		return
	}
	for n > 0 && t.bodies[n-1].Seq() > committed {
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
	t.more = true
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
// have at most maxBytes, and whether older ones exist.
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

// after returns the index of the first message after the cursor; false if the
// tail cannot tell: the cursor's epoch is not one of epochs or ended before it,
// or the tail does not reach back so far.
func (t *tail) after(cursor Pos, epochs []uint64) (int, bool) {
	if _, known := slices.BinarySearch(epochs, cursor.Epoch); !known {
		return 0, false
	}
	// A seq that an ended epoch gave to a message that was never committed may be
	// given again by the next one: the cursor must not be past its own epoch's end.
	n := sort.Search(len(t.epochs), func(i int) bool { return t.epochs[i] > cursor.Epoch })
	end := uint64(0)
	switch {
	case n > 0:
		end = t.bodies[n-1].Seq()
	case t.more:
		return 0, false
	}
	if cursor.Seq > end || t.more && cursor.Seq+1 < t.bodies[0].Seq() {
		return 0, false
	}
	return sort.Search(len(t.bodies), func(i int) bool { return t.bodies[i].Seq() > cursor.Seq }), true
}
