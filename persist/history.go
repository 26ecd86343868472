package persist

import (
	"errors"
	"nebula/frame"
	"nebula/shard"
	"slices"
	"time"
	"unsafe"

	"zombiezen.com/go/sqlite"
)

const (
	loadMessages = 256 // of a cold room; more than a page of the protocol
	windowIDs    = 1024
	windowFor    = 5 * time.Minute
)

// queries are a reader's kept statements.
type queries struct {
	// Owned by the reader goroutine.
	begin, end *sqlite.Stmt
	room       *sqlite.Stmt // by name
	epoch      *sqlite.Stmt // the room's next one below
	messages   *sqlite.Stmt // of an epoch, below a seq, newest first
	seen       *sqlite.Stmt // all places of a room, newest first
}

func (q *queries) prepare(conn *sqlite.Conn) (err error) {
	for _, p := range []struct {
		stmt **sqlite.Stmt
		sql  string
	}{
		{&q.begin, "BEGIN"},
		{&q.end, "COMMIT"},
		{&q.room, "SELECT id FROM room WHERE name = ?"},
		{&q.epoch, "SELECT epoch FROM message WHERE room = ? AND epoch < ? ORDER BY epoch DESC LIMIT 1"},
		{&q.messages, "SELECT epoch, seq, time, id, user, name, text FROM message " +
			"WHERE room = ? AND epoch = ? AND seq < ? AND text IS NOT NULL ORDER BY seq DESC LIMIT ?"},
		{&q.seen, "SELECT hash, seq, time, epoch FROM message WHERE room = ? ORDER BY epoch DESC, seq DESC"},
	} {
		if *p.stmt, err = conn.Prepare(p.sql); err != nil {
			return err
		}
	}
	return nil
}

// read runs use in one read transaction, so that all it sees is of one moment.
func (q *queries) read(room string, use func(id int64) error) error {
	if err := run(q.begin); err != nil {
		return err
	}
	var id int64
	q.room.BindText(1, room)
	found, err := row(q.room, func() { id = q.room.ColumnInt64(0) })
	if err == nil && found {
		err = use(id)
	}
	return errors.Join(err, run(q.end))
}

// load answers what a cold room needs; now is Unix ms.
func (q *queries) load(a *shard.Answer, now int64) error {
	return q.read(a.Room, func(id int64) error {
		if err := q.window(a, id, now); err != nil {
			return err
		}
		return q.page(a, id, frame.MaxSeq+1, loadMessages, 1<<62)
	})
}

// older answers a page of history.
func (q *queries) older(a *shard.Answer) error {
	return q.read(a.Room, func(id int64) error {
		return q.page(a, id, a.Before, a.Limit, a.MaxBytes)
	})
}

// window reads the dedupe window and the newest place.
func (q *queries) window(a *shard.Answer, room, now int64) error {
	q.seen.BindInt64(1, room)
	for {
		more, err := q.seen.Step()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		seen := shard.Seen{
			Hash: uint64(q.seen.ColumnInt64(0)), Seq: uint64(q.seen.ColumnInt64(1)), Milli: q.seen.ColumnInt64(2),
		}
		if len(a.IDs) == 0 {
			a.Last = shard.Pos{Epoch: uint64(q.seen.ColumnInt64(3)), Seq: seen.Seq}
		}
		if len(a.IDs) >= windowIDs && seen.Milli < now-windowFor.Milliseconds() {
			break
		}
		a.IDs = append(a.IDs, seen)
	}
	slices.Reverse(a.IDs)
	return q.seen.Reset()
}

// page reads the newest messages below a seq. An epoch's numbering may begin below
// the end of the one before (protocol.md section 3), so it goes epoch by epoch.
func (q *queries) page(a *shard.Answer, room int64, below uint64, limit, maxBytes int) error {
	for epoch := int64(frame.MaxSeq + 1); !a.More; {
		q.epoch.BindInt64(1, room)
		q.epoch.BindInt64(2, epoch)
		found, err := row(q.epoch, func() { epoch = q.epoch.ColumnInt64(0) })
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if maxBytes, err = q.pageOf(a, room, epoch, below, limit, maxBytes); err != nil {
			return err
		}
	}
	slices.Reverse(a.Messages)
	slices.Reverse(a.Epochs)
	return nil
}

// pageOf adds one epoch's messages, newest first, and returns what is left of
// maxBytes. One message more than fits tells that there are more.
func (q *queries) pageOf(a *shard.Answer, room, epoch int64, below uint64, limit, maxBytes int) (int, error) {
	s := q.messages
	s.BindInt64(1, room)
	s.BindInt64(2, epoch)
	s.BindInt64(3, int64(below))
	s.BindInt64(4, int64(limit-len(a.Messages)+1))
	for {
		more, err := s.Step()
		if err != nil {
			return maxBytes, err
		}
		if !more {
			break
		}
		if len(a.Messages) == limit {
			a.More = true
			break
		}
		m := frame.EncodeMessage(a.Room, view(s.ColumnText(3)), s.ColumnText(4), s.ColumnText(5), view(s.ColumnText(6)))
		m.Stamp(uint64(s.ColumnInt64(1)), s.ColumnInt64(2))
		maxBytes -= len(m.Payload())
		if maxBytes < 0 && len(a.Messages) > 0 {
			m.Release()
			a.More = true
			break
		}
		a.Messages = append(a.Messages, m)
		a.Epochs = append(a.Epochs, uint64(epoch))
	}
	return maxBytes, s.Reset()
}

// view returns s as bytes without a copy, to read only.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
