package persist

import (
	"fmt"
	"nebula/shard"
	"slices"
	"unsafe"

	"zombiezen.com/go/sqlite"
)

const (
	maxBatch  = 1000 // records in a transaction
	batchBits = 10   // 1<<batchBits is above maxBatch
)

// ledger writes batches of records. It belongs to the writer's goroutine.
type ledger struct {
	s            *Store
	tx           *transaction
	insert, find *sqlite.Stmt
	rooms        roomCache

	// Of the last batch.
	order   []uint64       // room id << batchBits | index in the batch
	known   []*stored      // of each record's room
	notices []shard.Notice // one a room
	touched []*stored      // of each notice
}

func (l *ledger) prepare(s *Store) error {
	l.s, l.tx = s, &s.writer.tx
	if err := l.rooms.prepare(s.conn); err != nil {
		return err
	}
	return prepare(s.conn, []kept{
		{&l.insert, "INSERT INTO message (room, epoch, seq, hash, id, user, name, text, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&l.find, "SELECT hash FROM message WHERE room = ? AND epoch = ? AND seq = ?"},
	})
}

// commit writes the batch in one transaction, and leaves notices and touched. After
// an error it is to be committed again, which adds only what is not stored.
func (l *ledger) commit(batch []shard.Record) error {
	err := l.tx.do(func() error {
		if err := l.write(batch); err != nil {
			return err
		}
		return l.s.faults.hit("before-commit")
	})
	if err == nil {
		err = l.s.faults.hit("after-commit")
	}
	if err != nil {
		l.rooms.forget()
	}
	return err
}

// write inserts the batch sorted by room, which keeps together the pages of the
// index that it touches; within a room the order of Append stays.
func (l *ledger) write(batch []shard.Record) error {
	l.order, l.known, l.notices, l.touched = l.order[:0], l.known[:0], l.notices[:0], l.touched[:0]
	for i := range batch {
		r, err := l.rooms.get(batch[i].Room)
		if err != nil {
			return fmt.Errorf("persist: find a room: %w", err)
		}
		l.known = append(l.known, r)
		l.order = append(l.order, uint64(r.id)<<batchBits|uint64(i))
	}
	slices.Sort(l.order)
	for _, key := range l.order {
		i := key & (1<<batchBits - 1)
		rec, r := &batch[i], l.known[i]
		if err := l.writeOne(r, rec); err != nil {
			return fmt.Errorf("persist: insert: %w", err)
		}
		if n := len(l.touched); n > 0 && l.touched[n-1] == r {
			l.notices[n-1].Seq = max(l.notices[n-1].Seq, rec.Seq)
			continue
		}
		l.notices = append(l.notices, shard.Notice{Shard: rec.Shard, Room: rec.Room, Seq: rec.Seq})
		l.touched = append(l.touched, r)
	}
	return nil
}

// writeOne inserts rec. What is not beyond the room's end is looked up first: the
// index has the hash behind the place, so it alone would let a second message in.
func (l *ledger) writeOne(r *stored, rec *shard.Record) error {
	if !r.advance(rec.Epoch, rec.Seq) {
		l.find.BindInt64(1, r.id)
		l.find.BindInt64(2, int64(rec.Epoch))
		l.find.BindInt64(3, int64(rec.Seq))
		same := false
		found, err := row(l.find, func() { same = uint64(l.find.ColumnInt64(0)) == rec.Hash })
		if found && !same {
			l.s.report(fmt.Errorf("persist: a second message for room %q, epoch %d, seq %d was dropped", rec.Room, rec.Epoch, rec.Seq))
		}
		if err != nil || found {
			return err
		}
	}
	s := l.insert
	s.BindInt64(1, r.id)
	s.BindInt64(2, int64(rec.Epoch))
	s.BindInt64(3, int64(rec.Seq))
	s.BindInt64(4, int64(rec.Hash))
	s.BindText(5, lend(rec.Body.ID()))
	s.BindText(6, rec.User)
	s.BindText(7, rec.Name)
	s.BindText(8, lend(rec.Body.Text()))
	s.BindInt64(9, rec.Milli)
	return run(s)
}

// lend returns b as a string without a copy; BindText copies it.
func lend(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
