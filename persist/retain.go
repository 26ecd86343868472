package persist

import (
	"nebula/shard"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	sliceRows  = 256 // changed in one transaction of the retainer
	sliceRooms = 64  // looked at in one
	// While messages keep coming, one slice in this time.
	sliceEvery = 50 * time.Millisecond
	// How long a room gathers messages to remove; readers hide them at once.
	cutAfter = time.Second
	// How long after a cut its tombstones are looked at again: windowFor, and more,
	// because clocks step.
	keepIDsFor = windowFor + time.Minute
	// How long Close may go on removing.
	finishFor = time.Second
)

// retainer removes what is beyond Config.Retain, in slices between the writer's
// batches, over its connection: a second one that writes would make the writer
// drop its page cache. A message beyond the limit is deleted, or, as long as the
// dedupe window may ask for its id, becomes a tombstone: a row without text, name,
// user and id. It belongs to the writer's goroutine.
type retainer struct {
	s    *Store
	keep uint64 // 0: everything, and nothing below is used
	tx   *transaction
	vac  vacuum

	rest  *stored   // the room that the last slice did not finish
	soon  []task    // rooms to cut
	later []task    // rooms with tombstones that time will let go
	sweep int64     // the next room of those that were there at Open
	rooms int64     // the last of them
	last  time.Time // the begin of the last slice
	again time.Time // not before

	// Of the open slice.
	budget  int // rows that it may still change
	removed int64
	victims []victim

	newest, cut, place, first, blank, remove, mark, count *sqlite.Stmt
}

// task is a room that is due at a time. Each list has one delay, so it is in order.
type task struct {
	room *stored
	due  time.Time
}

// victim is a row to remove.
type victim struct {
	n    int64
	at   shard.Pos
	keep bool // its id
}

func (r *retainer) prepare(tx *transaction, s *Store) error {
	r.s, r.tx, r.keep, r.sweep = s, tx, uint64(s.cfg.Retain), 1
	if r.keep == 0 {
		return nil
	}
	r.rooms = int64(s.rooms)
	if err := prepare(tx.conn, []kept{
		{&r.newest, newestSQL},
		{&r.cut, "SELECT cut_epoch, cut_seq FROM room WHERE id = ?"},
		{&r.place, "SELECT n, epoch, seq, time FROM message WHERE room = ?1 AND (epoch, seq) > (?2, ?3) ORDER BY epoch, seq"},
		{&r.first, "SELECT n, epoch, seq, time FROM message WHERE room = ?1 ORDER BY epoch, seq"},
		{&r.blank, "UPDATE message SET id = NULL, user = NULL, name = NULL, text = NULL WHERE n = ?"},
		// The newest row stays, so that no n is given twice.
		{&r.remove, "DELETE FROM message WHERE n = ? AND n < (SELECT max(n) FROM message)"},
		{&r.mark, "UPDATE room SET cut_epoch = ?2, cut_seq = ?3 WHERE id = ?1"},
		{&r.count, "UPDATE counter SET value = value + ? WHERE name = 'removed'"},
	}); err != nil {
		return err
	}
	return r.vac.prepare(tx.conn)
}

// note puts rooms that got messages on the list.
func (r *retainer) note(touched []*stored) {
	if r.keep == 0 {
		return
	}
	for _, room := range touched {
		if room.last.Seq > r.keep {
			r.soonAt(room, time.Now().Add(r.s.cutAfter))
		}
	}
}

// next takes the room that is due; false: none is.
func (r *retainer) next(now time.Time) (*stored, bool) {
	if room := r.rest; room != nil {
		r.rest = nil
		return room, true
	}
	if len(r.soon) > 0 && !r.soon[0].due.After(now) {
		room := r.soon[0].room
		r.soon = r.soon[1:]
		room.soon = false
		return room, true
	}
	if len(r.later) > 0 && !r.later[0].due.After(now) {
		room := r.later[0].room
		r.later = r.later[1:]
		room.later = false
		return room, true
	}
	if r.sweep <= r.rooms {
		r.sweep++
		return &stored{id: r.sweep - 1}, true
	}
	return nil, false
}

// idle tells how long nothing is due.
func (r *retainer) idle() time.Duration {
	due := time.Now().Add(time.Hour)
	for _, list := range [][]task{r.soon, r.later} {
		if len(list) > 0 && list[0].due.Before(due) {
			due = list[0].due
		}
	}
	if r.rest != nil || r.sweep <= r.rooms || r.vac.wanted() || due.Before(r.again) {
		due = r.again
	}
	return time.Until(due)
}

// between runs a slice among batches, from time to time.
func (r *retainer) between() {
	if r.keep > 0 && time.Since(r.last) >= sliceEvery {
		r.slice()
	}
}

// finish removes what is beyond the limit now, within bounds; the next start's
// sweep does the rest.
func (r *retainer) finish() {
	end := time.Now().Add(finishFor)
	for time.Now().Before(end) && (len(r.soon) > 0 || r.rest != nil) {
		r.run(end.Add(r.s.cutAfter))
	}
}

// slice does a little of what is due; false: nothing was. Then it rests for as long
// as it took, so that removing much takes half of the writer's time at most.
func (r *retainer) slice() bool {
	now := time.Now()
	if r.keep == 0 || now.Before(r.again) {
		return false
	}
	r.last = now
	did := r.run(now) || r.vac.slice(r.s)
	if did {
		r.again = time.Now().Add(time.Since(now))
	}
	return did
}

// run cuts rooms that are due at now, in one transaction; false: none is.
func (r *retainer) run(now time.Time) bool {
	room, found := r.next(now)
	if !found {
		return false
	}
	var looked []*stored
	r.budget, r.removed = sliceRows, 0
	r.s.gate.Lock()
	err := r.tx.do(func() error {
		for found {
			looked = append(looked, room)
			if err := r.trim(room); err != nil {
				return err
			}
			if r.budget <= 0 || len(looked) == sliceRooms {
				break
			}
			room, found = r.next(now)
		}
		return r.tally()
	})
	r.s.gate.Unlock()
	if err != nil {
		r.s.failed("messages beyond the limit were not removed", err)
		r.rest = nil
		for _, room := range looked {
			r.soonAt(room, time.Now().Add(lastRetry))
		}
		return true
	}
	r.vac.freed += r.removed
	r.s.checkpointer.nudge(2 * (sliceRows - r.budget)) // the page of the index too
	return true
}

// soonAt puts a room on the list of those to cut.
func (r *retainer) soonAt(room *stored, due time.Time) {
	if !room.soon {
		room.soon = true
		r.soon = append(r.soon, task{room, due})
	}
}

// tally stores how many messages the slice removed.
func (r *retainer) tally() error {
	if r.removed == 0 {
		return nil
	}
	r.count.BindInt64(1, r.removed)
	return run(r.count)
}
