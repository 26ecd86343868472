package persist

import (
	"math"
	"nebula/frame"
	"nebula/shard"
	"slices"
	"time"
	"unsafe"

	"zombiezen.com/go/sqlite"
)

const (
	loadMessages = 256 // of a cold room; more than a page of protocol.md

	// The dedupe window of protocol.md section 2, whichever is longer.
	windowIDs = 1024
	windowFor = 5 * time.Minute
)

// newestSQL walks a room's places from the newest one on, in the index alone.
const newestSQL = "SELECT epoch, seq, hash, time FROM message WHERE room = ? ORDER BY epoch DESC, seq DESC"

// queries are what a reader asks its connection. They belong to its goroutine.
type queries struct {
	retain   uint64 // messages kept a room; 0: all
	tx       transaction
	room     *sqlite.Stmt // its id by name
	newest   *sqlite.Stmt
	epoch    *sqlite.Stmt // the room's next one below another
	messages *sqlite.Stmt // of an epoch between two seqs, newest first
}

func (q *queries) prepare(c *sqlite.Conn, retain int) error {
	q.retain = uint64(retain)
	if err := q.tx.prepare(c, "BEGIN"); err != nil {
		return err
	}
	return prepare(c, []kept{
		{&q.room, "SELECT id FROM room WHERE name = ?"},
		{&q.newest, newestSQL},
		{&q.epoch, "SELECT epoch FROM message WHERE room = ? AND epoch < ? ORDER BY epoch DESC LIMIT 1"},
		{&q.messages, "SELECT seq, time, id, user, name, text FROM message " +
			"WHERE room = ? AND epoch = ? AND seq > ? AND seq < ? AND text IS NOT NULL ORDER BY seq DESC"},
	})
}

// page is how far one answer has got.
type page struct {
	a        *shard.Answer
	room     int64
	above    uint64 // messages up to here are not kept any more
	below    uint64
	limit    int
	maxBytes int
}

// load answers what a cold room needs; now is Unix ms.
func (q *queries) load(a *shard.Answer, now int64) error {
	return q.read(a, func(p *page) error {
		if err := q.window(p, now-windowFor.Milliseconds()); err != nil {
			return err
		}
		p.below, p.limit, p.maxBytes = math.MaxInt64, loadMessages, math.MaxInt
		return q.fill(p)
	})
}

// older answers a page of history.
func (q *queries) older(a *shard.Answer) error {
	return q.read(a, func(p *page) error {
		p.below, p.limit, p.maxBytes = min(a.Before, math.MaxInt64), a.Limit, a.MaxBytes
		return q.fill(p)
	})
}

// read runs use in one read transaction, so that all that it sees is of one moment.
// use is not called for a room that is not stored.
func (q *queries) read(a *shard.Answer, use func(*page) error) error {
	p := &page{a: a}
	return q.tx.do(func() error {
		q.room.BindText(1, a.Room)
		found, err := row(q.room, func() { p.room = q.room.ColumnInt64(0) })
		if err != nil || !found {
			return err
		}
		if q.retain > 0 {
			q.newest.BindInt64(1, p.room)
			if _, err := row(q.newest, func() { p.above = q.floor(uint64(q.newest.ColumnInt64(1))) }); err != nil {
				return err
			}
		}
		return use(p)
	})
}

// floor returns the newest seq that is not kept when the room ends at last. The
// writer may be behind with removing; what readers show does not depend on that.
func (q *queries) floor(last uint64) uint64 { return last - min(last, q.retain) }

// window reads the newest place and the ids of the dedupe window: the newest
// windowIDs, and those after since (Unix ms).
func (q *queries) window(p *page, since int64) error {
	a := p.a
	q.newest.BindInt64(1, p.room)
	err := rows(q.newest, func() bool {
		seen := shard.Seen{
			Seq: uint64(q.newest.ColumnInt64(1)), Hash: uint64(q.newest.ColumnInt64(2)), Milli: q.newest.ColumnInt64(3),
		}
		if len(a.IDs) == 0 {
			a.Last = shard.Pos{Epoch: uint64(q.newest.ColumnInt64(0)), Seq: seen.Seq}
		}
		if len(a.IDs) >= windowIDs && seen.Milli < since {
			return false
		}
		a.IDs = append(a.IDs, seen)
		return true
	})
	slices.Reverse(a.IDs)
	return err
}

// fill reads the newest messages of a page. A new epoch's first seq may lie below
// the old one's last (protocol.md section 3), so it goes down epoch by epoch.
func (q *queries) fill(p *page) error {
	for epoch := int64(math.MaxInt64); !p.a.More; {
		q.epoch.BindInt64(1, p.room)
		q.epoch.BindInt64(2, epoch)
		found, err := row(q.epoch, func() { epoch = q.epoch.ColumnInt64(0) })
		if err != nil {
			return err
		}
		if !found {
			break
		}
		if err := q.fillFrom(p, epoch); err != nil {
			return err
		}
	}
	slices.Reverse(p.a.Messages)
	slices.Reverse(p.a.Epochs)
	return nil
}

// fillFrom adds an epoch's messages, newest first. The first one that does not fit
// tells that there are more.
func (q *queries) fillFrom(p *page, epoch int64) error {
	s, a := q.messages, p.a
	s.BindInt64(1, p.room)
	s.BindInt64(2, epoch)
	s.BindInt64(3, int64(p.above))
	s.BindInt64(4, int64(p.below))
	return rows(s, func() bool {
		if len(a.Messages) >= p.limit {
			a.More = true
			return false
		}
		m := frame.EncodeMessage(a.Room, view(s.ColumnText(2)), s.ColumnText(3), s.ColumnText(4), view(s.ColumnText(5)))
		m.Stamp(uint64(s.ColumnInt64(0)), s.ColumnInt64(1))
		p.maxBytes -= len(m.Payload())
		if p.maxBytes < 0 && len(a.Messages) > 0 {
			m.Release()
			a.More = true
			return false
		}
		a.Messages = append(a.Messages, m)
		a.Epochs = append(a.Epochs, uint64(epoch))
		return true
	})
}

// view returns s as bytes without a copy, to read only.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
