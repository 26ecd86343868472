package bus

import (
	"fmt"
	"strconv"
)

// restoreEntries bounds how many entries are put back, however small they are.
const restoreEntries = 20_000

// forkError says that what this node holds cannot follow on what the log has.
type forkError struct{ entry Pos }

func (e *forkError) Error() string {
	return fmt.Sprintf("bus: entry %d of epoch %d is not part of the log", e.entry.N, e.entry.Epoch)
}

// putBack puts back what the log lost and this node holds.
func (r *receiver) putBack(h head) error {
	if _, err := r.put(h.epoch, false, nil); err != nil { // reading the database may take a while
		return err
	}
	after := h.n
	if after > 0 {
		after-- // the newest entry that both have shows whether they are of one past
	}
	kept, since, err := r.stored(after, r.cfg.pace.restoreBytes)
	if err != nil {
		return err
	}
	last, err := r.lastBefore("+")
	if err != nil {
		return err
	}
	if err := r.onePast(kept, last, since <= h.n); err != nil {
		return err
	}
	if err := r.putBounds(); err != nil {
		return err
	}
	lost := lostEntries{kept: kept, bounds: r.bounds, next: max(since, h.n) + 1, place: r.place, epoch: r.place.Epoch}
	if lost.next+restoreEntries <= r.place.N {
		lost.next = r.place.N - restoreEntries + 1
	}
	lost.skip()
	if last.N == lost.next-1 && last.N > 0 {
		lost.epoch = last.Epoch
	} else if len(lost.kept) > 0 {
		lost.epoch = lost.kept[0].Entry.Epoch
	}
	return r.putAll(h.epoch, &lost, lost.next <= last.N+1)
}

// onePast returns a forkError unless what this node holds is of the same past as the
// log, which ends with last. If it is to follow directly on last, that takes proof: this
// node must have had just that entry.
func (r *receiver) onePast(kept []Kept, last Pos, direct bool) error {
	firsts, err := r.epochs()
	if err != nil {
		return err
	}
	places := make([]Pos, 0, len(kept)+1)
	after := kept
	for len(after) > 0 && after[0].Entry.N <= last.N {
		after = after[1:]
	}
	proven := last.N == 0 || !direct || epochBefore(r.bounds, last.N, nextKnown(after, r.place)) == last.Epoch
	for i := range kept {
		places = append(places, kept[i].Entry)
		proven = proven || kept[i].Entry == last
	}
	for _, p := range append(places, r.place) {
		next := nextEpoch(firsts, p.Epoch)
		if next != 0 && firsts[next] <= p.N ||
			p.N == last.N && p.Epoch != last.Epoch || p.N > last.N && p.Epoch < last.Epoch {
			return &forkError{entry: p}
		}
	}
	if !proven {
		return &forkError{entry: last}
	}
	return nil
}

// epochAt returns the epoch of entry n, as far as bounds tell; else 0.
func epochAt(bounds map[uint64]uint64, n uint64) (epoch uint64) {
	for e, first := range bounds {
		if first <= n && e > epoch {
			epoch = e
		}
	}
	return epoch
}

// epochBefore is epochAt for n before an entry of epoch next, which the node holds: bounds
// that do not know where that one began tell nothing.
func epochBefore(bounds map[uint64]uint64, n, next uint64) uint64 {
	if bounds[next] == 0 {
		return 0
	}
	return epochAt(bounds, n)
}

// nextKnown returns the epoch of the oldest entry that is known from its messages, else
// that of place.
func nextKnown(kept []Kept, place Pos) uint64 {
	if len(kept) > 0 {
		return kept[0].Entry.Epoch
	}
	return place.Epoch
}

// putBounds tells the bus again where the epochs began that this node went through: by
// that another node finds that it has forked.
func (r *receiver) putBounds() error {
	for epoch, first := range r.bounds {
		if first > r.place.N {
			continue
		}
		cmd := r.control.B().Hsetnx().Key(r.p.keys.epochs).Field(strconv.FormatUint(epoch, 10)).
			Value(strconv.FormatUint(first, 10)).Build()
		if _, err := r.do(cmd); err != nil {
			return err
		}
	}
	return nil
}

// putAll puts the entries back in calls of a bounded size. had: this node had what the
// log has before them.
func (r *receiver) putAll(epoch uint64, lost *lostEntries, had bool) error {
	first := lost.next
	for lost.next <= lost.place.N {
		var args []string
		from, size := lost.next, 0
		for len(args) < 4*batchMessages && size < batchBytes && lost.next <= lost.place.N {
			e, sure := lost.take()
			s := string(appendEntry(nil, e))
			size += len(s)
			args = append(args, strconv.FormatUint(e.N, 10), strconv.FormatUint(e.Epoch, 10), sure, s)
		}
		var err error
		had, err = r.put(epoch, had, args)
		if refusal := asRefusal(err); refusal != nil && refusal.name == refusedFork {
			return &forkError{entry: Pos{Epoch: lost.epoch, N: from}}
		}
		if err != nil {
			return err
		}
	}
	r.log.Info("put back what the bus lost", "partition", r.p.index, "from", first, "to", r.place.N)
	return nil
}

// put puts some entries back, and says that this node is at work. before and had tell
// whether this node had what the log has before these entries, and as the last of them.
func (r *receiver) put(epoch uint64, before bool, entries []string) (had bool, err error) {
	proof := "0"
	if before {
		proof = "1"
	}
	m, err := r.do(r.control.B().Eval().Script(putScript).Numkeys(2).Key(r.p.keys.meta, r.p.keys.log).
		Arg(strconv.FormatUint(epoch, 10), proof).Arg(entries...).Build())
	if err != nil {
		return false, err
	}
	answer, err := m.AsIntSlice()
	if err != nil || len(answer) != 2 {
		return false, fmt.Errorf("bus: putting back was answered with %d numbers: %w", len(answer), err)
	}
	return answer[1] == 1, nil
}

// lostEntries makes a node's stored messages into the entries that they came in.
type lostEntries struct {
	kept   []Kept            // of entries from next on
	bounds map[uint64]uint64 // epoch -> n of its first entry
	next   uint64
	place  Pos    // of the last one
	epoch  uint64 // of the entry before next
	entry  Entry
}

// skip leaves out what is stored of entries before next.
func (l *lostEntries) skip() {
	for len(l.kept) > 0 && l.kept[0].Entry.N < l.next {
		l.kept = l.kept[1:]
	}
}

// take returns the next entry. One of which no message is stored is put back empty,
// so that numbers go on without a hole; its epoch may not be sure.
func (l *lostEntries) take() (e *Entry, sure string) {
	e, sure = &l.entry, "0"
	*e = Entry{Pos: Pos{Epoch: l.epoch, N: l.next}, Messages: e.Messages[:0]}
	if epoch := epochBefore(l.bounds, l.next, nextKnown(l.kept, l.place)); epoch != 0 {
		e.Epoch, sure = epoch, "1"
	}
	if l.next == l.place.N {
		e.Epoch, sure = l.place.Epoch, "1"
	}
	for len(l.kept) > 0 && l.kept[0].Entry.N == l.next {
		k := &l.kept[0]
		e.Epoch, sure = k.Entry.Epoch, "1"
		if k.Epoch == e.Epoch {
			e.Milli = k.Milli
		}
		e.Messages = append(e.Messages, k.Message)
		l.kept = l.kept[1:]
	}
	l.epoch = e.Epoch
	l.next++
	return e, sure
}
