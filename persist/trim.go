package persist

import (
	"nebula/shard"
	"time"

	"zombiezen.com/go/sqlite"
)

// trim removes what one room has beyond the limit, as far as the slice's budget
// goes.
func (r *retainer) trim(room *stored) error {
	var last, cut shard.Pos
	r.newest.BindInt64(1, room.id)
	if found, err := row(r.newest, func() { last = posAt(r.newest, 0) }); err != nil || !found {
		return err
	}
	r.cut.BindInt64(1, room.id)
	if _, err := row(r.cut, func() { cut = posAt(r.cut, 0) }); err != nil {
		return err
	}
	w := window{
		seq:   last.Seq - min(last.Seq, windowIDs),
		milli: r.s.cfg.Now()/1e6 - keepIDsFor.Milliseconds(),
	}
	cut, err := r.cutTo(room, cut, last.Seq-min(last.Seq, r.keep), w)
	if err != nil {
		return err
	}
	return r.bury(room, cut, w)
}

// window is where the ids begin that the dedupe window may ask for.
type window struct {
	seq   uint64 // newer ones are asked for
	milli int64  // so are later ones
}

func (w window) has(seq uint64, milli int64) bool { return seq > w.seq || milli > w.milli }

func posAt(stmt *sqlite.Stmt, column int) shard.Pos {
	return shard.Pos{Epoch: uint64(stmt.ColumnInt64(column)), Seq: uint64(stmt.ColumnInt64(column + 1))}
}

// cutTo removes the messages after cut up to floor, and returns the new cut.
func (r *retainer) cutTo(room *stored, cut shard.Pos, floor uint64, w window) (shard.Pos, error) {
	r.place.BindInt64(1, room.id)
	r.place.BindInt64(2, int64(cut.Epoch))
	r.place.BindInt64(3, int64(cut.Seq))
	r.victims = r.victims[:0]
	more := false
	err := rows(r.place, func() bool {
		at := posAt(r.place, 1)
		more = at.Seq <= floor && len(r.victims) == r.budget
		if at.Seq > floor || more {
			return false
		}
		r.victims = append(r.victims, victim{r.place.ColumnInt64(0), at, w.has(at.Seq, r.place.ColumnInt64(3))})
		return true
	})
	if more {
		r.rest = room
	}
	if err != nil || len(r.victims) == 0 {
		return cut, err
	}
	if err := r.strike(); err != nil {
		return cut, err
	}
	r.removed += int64(len(r.victims))
	cut = r.victims[len(r.victims)-1].at
	r.mark.BindInt64(1, room.id)
	r.mark.BindInt64(2, int64(cut.Epoch))
	r.mark.BindInt64(3, int64(cut.Seq))
	return cut, run(r.mark)
}

// bury deletes the tombstones that the dedupe window does not need any more.
func (r *retainer) bury(room *stored, cut shard.Pos, w window) error {
	r.first.BindInt64(1, room.id)
	r.victims = r.victims[:0]
	err := rows(r.first, func() bool {
		at, milli := posAt(r.first, 1), r.first.ColumnInt64(3)
		if at.Epoch > cut.Epoch || at.Epoch == cut.Epoch && at.Seq > cut.Seq {
			return false
		}
		if w.has(at.Seq, milli) {
			if at.Seq <= w.seq && !room.later { // only its time keeps it
				room.later = true
				r.later = append(r.later, task{room, time.Now().Add(keepIDsFor)})
			}
			return false
		}
		if len(r.victims) >= r.budget {
			r.rest = room
			return false
		}
		r.victims = append(r.victims, victim{n: r.first.ColumnInt64(0), at: at})
		return true
	})
	if err != nil || len(r.victims) == 0 {
		return err
	}
	return r.strike()
}

// strike removes the victims.
func (r *retainer) strike() error {
	for _, v := range r.victims {
		stmt := r.remove
		if v.keep {
			stmt = r.blank
		}
		stmt.BindInt64(1, v.n)
		if err := run(stmt); err != nil {
			return err
		}
	}
	r.budget -= len(r.victims)
	return nil
}
