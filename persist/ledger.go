package persist

import (
	"cmp"
	"errors"
	"fmt"
	"nebula/shard"
	"slices"
	"unsafe"

	"zombiezen.com/go/sqlite"
)

// maxBatch is how many records make a full transaction; the last one's entry is
// finished in it all the same.
const maxBatch = 1000

// ledger writes batches of records. It belongs to the writer's goroutine.
type ledger struct {
	s       *Store
	tx      *transaction
	rooms   roomCache
	chains  chains
	epochs  epochs
	repeats repeats

	insert, find, hide, count *sqlite.Stmt

	// Of the last batch.
	order   []slot
	notices []shard.Notice
	touched []*stored     // the rooms
	moved   []shard.Place // the new places
}

// slot is where a record of a batch belongs.
type slot struct {
	chain *chain // nil: none
	room  *stored
	index int // in the batch
}

// compare sorts by chain, so that what a transaction adds to one has numbers n in a
// row, then by room, which keeps together the pages of the index that it touches. Within
// a room the order of Append stays.
func (a slot) compare(b slot) int {
	if a.chain != b.chain {
		return cmp.Compare(a.chain.number(), b.chain.number())
	}
	if a.room.id != b.room.id {
		return cmp.Compare(a.room.id, b.room.id)
	}
	return a.index - b.index
}

func (l *ledger) prepare(s *Store) error {
	l.s, l.tx = s, &s.writer.tx
	if err := errors.Join(l.rooms.prepare(s.conn), l.chains.prepare(s.conn), l.epochs.prepare(s.conn), l.repeats.prepare(s.conn)); err != nil {
		return err
	}
	return prepare(s.conn, []kept{
		{&l.insert, "INSERT INTO message (room, epoch, seq, hash, id, user, name, text, time, entry, entry_epoch, behind) " +
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&l.find, "SELECT hash FROM message WHERE room = ? AND epoch = ? AND seq = ?"},
		{&l.hide, "UPDATE message SET id = NULL, user = NULL, name = NULL, text = NULL WHERE n = ?1 AND " +
			"(epoch, seq) <= (SELECT cut_epoch, cut_seq FROM room WHERE room.id = message.room)"},
		{&l.count, "UPDATE counter SET value = value + 1 WHERE name = 'removed'"},
	})
}

// commit writes the batch in one transaction, and leaves notices, touched and moved.
// After an error it is to be committed again, which adds only what is not stored.
func (l *ledger) commit(batch []item) error {
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
		l.chains.forget()
		l.epochs.forget()
	}
	return err
}

// write inserts the batch, and moves the places of its entries.
func (l *ledger) write(batch []item) error {
	l.notices, l.touched, l.moved = l.notices[:0], l.touched[:0], l.moved[:0]
	if err := l.arrange(batch); err != nil {
		return err
	}
	for i := range l.order {
		o := &l.order[i]
		if i == 0 || o.room != l.order[i-1].room {
			l.touched = append(l.touched, o.room)
			if err := l.repeats.look(l.order[i:], batch); err != nil {
				return fmt.Errorf("persist: look for repeated messages: %w", err)
			}
		}
		if err := l.writeOne(o, &batch[o.index]); err != nil {
			return fmt.Errorf("persist: insert: %w", err)
		}
		l.notice(&batch[o.index].Record)
	}
	var err error
	if l.moved, err = l.chains.store(l.moved); err != nil {
		return fmt.Errorf("persist: store a place: %w", err)
	}
	return nil
}

// arrange finds where each record belongs, in order.
func (l *ledger) arrange(batch []item) error {
	clear(l.order)
	l.order = l.order[:0]
	for i := range batch {
		it := &batch[i]
		c, err := l.chains.take(it)
		if err != nil {
			return fmt.Errorf("persist: find a place: %w", err)
		}
		if it.entry.N > 0 {
			if err := errors.Join(l.epochs.note(it.entry.Epoch), l.epochs.note(it.Epoch)); err != nil {
				return fmt.Errorf("persist: store an epoch: %w", err)
			}
		}
		if it.Body == nil {
			continue
		}
		r, err := l.rooms.get(it.Room)
		if err != nil {
			return fmt.Errorf("persist: find a room: %w", err)
		}
		l.order = append(l.order, slot{c, r, i})
	}
	slices.SortFunc(l.order, slot.compare)
	return nil
}

// notice tells of a record that is written: what was Restored by itself, of the rest
// each room's newest.
func (l *ledger) notice(rec *shard.Record) {
	if rec.Restored {
		l.notices = append(l.notices, shard.Notice{Shard: rec.Shard, Room: rec.Room, Hash: rec.Hash})
		return
	}
	for i := len(l.notices) - 1; i >= 0 && l.notices[i].Room == rec.Room; i-- {
		n := &l.notices[i]
		if n.Hash != 0 {
			continue
		}
		if rec.Epoch > n.Epoch || rec.Epoch == n.Epoch && rec.Seq > n.Seq {
			n.Epoch, n.Seq = rec.Epoch, rec.Seq
		}
		return
	}
	l.notices = append(l.notices, shard.Notice{Shard: rec.Shard, Room: rec.Room, Epoch: rec.Epoch, Seq: rec.Seq})
}

// writeOne inserts a record. What is not beyond the room's end is looked up first: the
// index has the hash behind the place, so it alone would let a second message in.
func (l *ledger) writeOne(o *slot, it *item) error {
	if it.Restored {
		repeated, err := l.drop(o.room, &it.Record)
		if err != nil || repeated {
			return err
		}
	}
	late := !o.room.advance(it.Epoch, it.Seq)
	if late {
		found, err := l.stored(o.room, &it.Record)
		if err != nil || found {
			return err
		}
	}
	s := l.insert
	s.BindInt64(1, o.room.id)
	s.BindInt64(2, int64(it.Epoch))
	s.BindInt64(3, int64(it.Seq))
	s.BindInt64(4, int64(it.Hash))
	s.BindText(5, lend(it.Body.ID()))
	s.BindText(6, it.User)
	s.BindText(7, it.Name)
	s.BindText(8, lend(it.Body.Text()))
	s.BindInt64(9, it.Milli)
	link := o.chain.link(it)
	s.BindInt64(10, link.entry)
	s.BindInt64(11, link.epoch)
	s.BindInt64(12, link.behind)
	if err := run(s); err != nil {
		return err
	}
	o.chain.grow(l.tx.conn.LastInsertRowID())
	l.repeats.add(&it.Record)
	if late {
		return l.hideCut()
	}
	return nil
}

// stored tells whether a record's place is taken, which is an error if another message
// has it.
func (l *ledger) stored(r *stored, rec *shard.Record) (bool, error) {
	l.find.BindInt64(1, r.id)
	l.find.BindInt64(2, int64(rec.Epoch))
	l.find.BindInt64(3, int64(rec.Seq))
	same := false
	found, err := row(l.find, func() { same = uint64(l.find.ColumnInt64(0)) == rec.Hash })
	if found && !same {
		l.s.report(fmt.Errorf("persist: a second message for room %q, epoch %d, seq %d was dropped", rec.Room, rec.Epoch, rec.Seq))
	}
	return found, err
}

// hideCut makes a tombstone of the row that was inserted last if the retainer has been
// past its place.
func (l *ledger) hideCut() error {
	l.hide.BindInt64(1, l.tx.conn.LastInsertRowID())
	return l.strike(l.hide)
}

// strike runs a statement that makes a tombstone of a message, and counts it.
func (l *ledger) strike(stmt *sqlite.Stmt) error {
	if err := run(stmt); err != nil || l.tx.conn.Changes() == 0 {
		return err
	}
	return run(l.count)
}

// lend returns b as a string without a copy; BindText copies it.
func lend(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
