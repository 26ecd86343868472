package persist

import (
	"errors"
	"fmt"
	"nebula/shard"
	"slices"
	"unsafe"

	"zombiezen.com/go/sqlite"
)

// ledger writes batches of records over the writer's connection.
type ledger struct {
	// Static after construction.
	conn *sqlite.Conn

	// Owned by the writer goroutine.
	begin, end, undo *sqlite.Stmt
	insert, find     *sqlite.Stmt
	rooms            roomCache
	order            []uint64 // room id << batchBits | index in the batch
	known            []*stored
}

func (l *ledger) prepare(conn *sqlite.Conn) (err error) {
	l.conn = conn
	for _, p := range []struct {
		stmt **sqlite.Stmt
		sql  string
	}{
		// Not a plain BEGIN: a transaction that reads first fails with BUSY_SNAPSHOT
		// when an operator's shell wrote meanwhile.
		{&l.begin, "BEGIN IMMEDIATE"},
		{&l.end, "COMMIT"},
		{&l.undo, "ROLLBACK"},
		{&l.insert, "INSERT INTO message (room, epoch, seq, hash, id, user, name, text, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&l.find, "SELECT hash FROM message WHERE room = ? AND epoch = ? AND seq = ?"},
	} {
		if *p.stmt, err = conn.Prepare(p.sql); err != nil {
			return err
		}
	}
	return l.rooms.prepare(conn)
}

// commit writes the batch in one transaction, and appends one notice a room. After
// an error nothing of it is stored.
func (l *ledger) commit(batch []shard.Record, notices []shard.Notice) ([]shard.Notice, error) {
	if err := run(l.begin); err != nil {
		return notices, fmt.Errorf("persist: begin: %w", err)
	}
	notices, err := l.write(batch, notices)
	if err == nil {
		err = run(l.end)
	}
	if err != nil {
		l.rooms.forget()
		if !l.conn.AutocommitEnabled() {
			err = errors.Join(err, run(l.undo))
		}
		return notices, fmt.Errorf("persist: commit: %w", err)
	}
	return notices, nil
}

// write inserts the batch sorted by room, which keeps the pages of the index that
// it touches together; within a room the order of Append stays.
func (l *ledger) write(batch []shard.Record, notices []shard.Notice) ([]shard.Notice, error) {
	l.order, l.known = l.order[:0], l.known[:0]
	for i := range batch {
		r, err := l.rooms.get(batch[i].Room)
		if err != nil {
			return notices, err
		}
		l.known = append(l.known, r)
		l.order = append(l.order, uint64(r.id)<<batchBits|uint64(i))
	}
	slices.Sort(l.order)
	for _, key := range l.order {
		i := key & (1<<batchBits - 1)
		rec := &batch[i]
		if err := l.writeOne(l.known[i], rec); err != nil {
			return notices, err
		}
		if n := len(notices); n > 0 && notices[n-1].Room == rec.Room {
			notices[n-1].Seq = max(notices[n-1].Seq, rec.Seq)
			continue
		}
		notices = append(notices, shard.Notice{Shard: rec.Shard, Room: rec.Room, Seq: rec.Seq})
	}
	return notices, nil
}

// writeOne inserts rec. What is not beyond the room's end is looked up first: the
// index has the hash behind the place, so it alone would let a second message in.
func (l *ledger) writeOne(r *stored, rec *shard.Record) error {
	at := shard.Pos{Epoch: rec.Epoch, Seq: rec.Seq}
	if at.Epoch > r.last.Epoch || at.Epoch == r.last.Epoch && at.Seq > r.last.Seq {
		r.last = at
	} else {
		l.find.BindInt64(1, r.id)
		l.find.BindInt64(2, int64(rec.Epoch))
		l.find.BindInt64(3, int64(rec.Seq))
		if found, err := row(l.find, func() {}); err != nil || found {
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

// lend returns b as a string without a copy. BindText copies it, so it is used no
// longer than b stays as it is.
func lend(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
