package persist

import (
	"cmp"
	"context"
	"nebula/shard"
	"slices"

	"zombiezen.com/go/sqlite"
)

// recall walks a chain from its end, run by run. One goroutine.
type recall struct {
	ctx      context.Context
	since    uint64
	left     int             // bytes that still fit
	messages []StoredMessage // newest first
	lowest   uint64          // of the entries in messages; at first one above all

	tx               transaction
	place, run, room *sqlite.Stmt
	names            map[int64]string // of rooms

	rows []recalled // of the open run
}

// recalled is a row of a run.
type recalled struct {
	StoredMessage
	gone bool // Config.Retain took it
}

func (r *recall) prepare(c *sqlite.Conn) error {
	r.names = make(map[int64]string)
	if err := r.tx.prepare(c, "BEGIN"); err != nil {
		return err
	}
	return prepare(c, []kept{
		{&r.place, "SELECT n, last, floor FROM place WHERE partition = ?"},
		{&r.run, "SELECT n, room, epoch, seq, hash, time, id, user, name, text, entry, entry_epoch, behind, text IS NULL " +
			"FROM message WHERE n <= ? ORDER BY n DESC"},
		{&r.room, "SELECT name FROM room WHERE id = ?"},
	})
}

// read walks the chain of a partition in one read transaction.
func (r *recall) read(partition int) error {
	return r.tx.do(func() error {
		var last int64
		r.place.BindInt64(1, int64(partition))
		found, err := row(r.place, func() {
			r.lowest = uint64(r.place.ColumnInt64(0)) + 1
			last = r.place.ColumnInt64(1)
			r.since = max(r.since, uint64(r.place.ColumnInt64(2)))
		})
		if err != nil || !found {
			return err
		}
		return r.walk(partition, last)
	})
}

func (r *recall) walk(partition int, last int64) error {
	for more := true; more && last != noRun; {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		behind, err := r.readRun(partition, last)
		if err != nil {
			return err
		}
		if behind == 0 || behind >= last { // a row is missing: nobody knows which entries it was of, but they are older
			r.since = max(r.since, r.lowest-1)
			return nil
		}
		last, more = behind, r.take()
	}
	return nil
}

// readRun reads the run that ends with row last, newest entry first, and returns what
// is behind it; 0: the run is not whole any more.
func (r *recall) readRun(partition int, last int64) (behind int64, err error) {
	var unnamed error
	r.rows = r.rows[:0]
	r.run.BindInt64(1, last)
	err = rows(r.run, func() bool {
		if r.run.ColumnInt64(0) != last-int64(len(r.rows)) {
			return false
		}
		var m recalled
		if m, unnamed = r.row(partition); unnamed != nil {
			return false
		}
		r.rows = append(r.rows, m)
		behind = r.run.ColumnInt64(12)
		return behind == 0
	})
	// A transaction may hold several entries, and its rows are in the order of rooms.
	slices.SortStableFunc(r.rows, func(a, b recalled) int { return cmp.Compare(b.Entry.N, a.Entry.N) })
	return behind, cmp.Or(err, unnamed)
}

// row returns the row that run stands at.
func (r *recall) row(partition int) (recalled, error) {
	s := r.run
	id := s.ColumnInt64(1)
	name, found := r.names[id]
	if !found {
		r.room.BindInt64(1, id)
		if _, err := row(r.room, func() { name = r.room.ColumnText(0) }); err != nil {
			return recalled{}, err
		}
		r.names[id] = name
	}
	at := posAt(s, 2)
	return recalled{StoredMessage{
		Entry: shard.Place{
			Partition: partition, Epoch: cmp.Or(uint64(s.ColumnInt64(11)), at.Epoch), N: uint64(s.ColumnInt64(10)),
		},
		Room: name, Epoch: at.Epoch, Seq: at.Seq, Hash: uint64(s.ColumnInt64(4)), Milli: s.ColumnInt64(5),
		ID: s.ColumnText(6), User: s.ColumnText(7), Name: s.ColumnText(8), Text: s.ColumnText(9),
	}, s.ColumnInt(13) != 0}, nil
}

// take adds the run's messages as far as they are wanted and fit; false: not all were.
func (r *recall) take() bool {
	for i := range r.rows {
		m := &r.rows[i]
		if n := m.Entry.N; n < r.lowest {
			if n <= r.since {
				return false
			}
			if r.left <= 0 {
				r.since = n
				return false
			}
			r.lowest = n
		}
		if !m.gone {
			r.messages = append(r.messages, m.StoredMessage)
			r.left -= len(m.Room) + len(m.User) + len(m.Name) + len(m.ID) + len(m.Text) + messageBytes
		}
	}
	return true
}

// messageBytes is what a message counts besides its texts.
const messageBytes = 40
