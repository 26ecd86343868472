package persist

import (
	"math"
	"nebula/shard"

	"zombiezen.com/go/sqlite"
)

// repeats finds the messages that a room has already, when it gets some that were
// Restored: meanwhile a message may have been sent again and have got another place.
// What a batch brings for a room is looked for at once, in the index alone. It belongs
// to the writer's goroutine.
type repeats struct {
	wanted bool                 // the room gets something that was Restored
	places map[uint64]shard.Pos // hash -> newest place

	newest, blank *sqlite.Stmt
}

func (r *repeats) prepare(conn *sqlite.Conn) error {
	r.places = make(map[uint64]shard.Pos)
	return prepare(conn, []kept{
		{&r.newest, newestSQL},
		{&r.blank, "UPDATE message SET id = NULL, user = NULL, name = NULL, text = NULL " +
			"WHERE room = ? AND epoch = ? AND seq = ? AND hash = ? AND text IS NOT NULL"},
	})
}

// look reads the places of the room that group begins with, if it gets something that
// was Restored: everything newer, and the dedupe window below.
func (r *repeats) look(group []slot, batch []item) error {
	if r.wanted {
		r.wanted = false
		clear(r.places)
	}
	lowest := shard.Pos{Epoch: math.MaxUint64}
	for _, o := range group {
		if o.room != group[0].room {
			break
		}
		if rec := &batch[o.index].Record; rec.Restored {
			r.wanted = true
			if at := placeOf(rec); later(lowest, at) {
				lowest = at
			}
		}
	}
	if !r.wanted {
		return nil
	}
	below := 0
	r.newest.BindInt64(1, group[0].room.id)
	return rows(r.newest, func() bool {
		at, hash := posAt(r.newest, 0), uint64(r.newest.ColumnInt64(2))
		if _, found := r.places[hash]; !found {
			r.places[hash] = at
		}
		if later(lowest, at) {
			below++
		}
		return below < windowIDs
	})
}

// add notes a message that was inserted.
func (r *repeats) add(rec *shard.Record) {
	if r.wanted {
		if at := placeOf(rec); !later(r.places[rec.Hash], at) {
			r.places[rec.Hash] = at
		}
	}
}

// drop tells whether the room has a Restored message at another place. If that is a
// later one, the message loses its own place: elsewhere it never got it.
func (l *ledger) drop(room *stored, rec *shard.Record) (bool, error) {
	own := placeOf(rec)
	at, found := l.repeats.places[rec.Hash]
	if !found || at == own {
		return false, nil
	}
	if !later(at, own) {
		return true, nil
	}
	s := l.repeats.blank
	s.BindInt64(1, room.id)
	s.BindInt64(2, int64(rec.Epoch))
	s.BindInt64(3, int64(rec.Seq))
	s.BindInt64(4, int64(rec.Hash))
	return true, l.strike(s)
}

func placeOf(rec *shard.Record) shard.Pos { return shard.Pos{Epoch: rec.Epoch, Seq: rec.Seq} }

// later tells whether a is a later place than b.
func later(a, b shard.Pos) bool { return a.Epoch > b.Epoch || a.Epoch == b.Epoch && a.Seq > b.Seq }
