package persist

import (
	"context"
	"errors"
	"fmt"

	"zombiezen.com/go/sqlite"
)

// restorer fills an empty database with a copy. One goroutine.
type restorer struct {
	ctx   context.Context
	r     copyReader
	conn  *sqlite.Conn
	begin *copyBegin
	end   *copyEnd
	done  copyEnd
	rooms int64 // the last one's id
	last  int64 // n of the last message

	tx                                          transaction
	index, putEpoch, putPlace, putRoom, putText *sqlite.Stmt
	tally, behead                               *sqlite.Stmt
}

func (r *restorer) prepare() error {
	if err := r.tx.prepare(r.conn, "BEGIN"); err != nil {
		return err
	}
	return prepare(r.conn, []kept{
		{&r.index, "SELECT sql FROM sqlite_schema WHERE name = 'message_place'"},
		{&r.putEpoch, "INSERT INTO epoch VALUES (?)"},
		{&r.putPlace, "INSERT INTO place (partition, epoch, n, last, floor) VALUES (?, ?, ?, ?, ?)"},
		{&r.putRoom, "INSERT INTO room (id, name) VALUES (?, ?)"},
		{&r.putText, "INSERT INTO message (n, room, epoch, seq, hash, time, entry, entry_epoch, behind, id, user, name, text) " +
			"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&r.tally, "UPDATE counter SET value = ? WHERE name = 'removed'"},
		// The end of a chain may have been removed since the copy began.
		{&r.behead, "UPDATE place SET last = -1, floor = n WHERE last > ?"},
	})
}

// run fills the database. The index is made last: to sort is several times as fast as
// to insert row by row.
func (r *restorer) run() error {
	if err := r.prepare(); err != nil {
		return err
	}
	var index string
	if _, err := row(r.index, func() { index = r.index.ColumnText(0) }); err != nil {
		return err
	}
	if err := exec(r.conn, "DROP INDEX message_place"); err != nil {
		return err
	}
	if err := r.tx.do(r.fill); err != nil {
		return err
	}
	if err := r.sort(index); err != nil {
		return err
	}
	return exec(r.conn, "PRAGMA journal_mode = WAL")
}

// sort makes the index. SQLite sorts in files, for which a bare container may have no
// place; then it must sort in memory.
func (r *restorer) sort(index string) error {
	err := exec(r.conn, index)
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCantOpen, sqlite.ResultIOErr:
		return errors.Join(exec(r.conn, "PRAGMA temp_store = MEMORY"), exec(r.conn, index))
	default:
		return err
	}
}

// fill reads the copy to its end.
func (r *restorer) fill() error {
	for r.end == nil {
		if err := r.ctx.Err(); err != nil {
			return err
		}
		var p piece
		if err := r.r.read(&p); err != nil {
			return err
		}
		if err := r.take(&p); err != nil {
			return err
		}
	}
	if r.done != *r.end {
		return fmt.Errorf("%w: it has %v, its end says %v", errTorn, r.done, *r.end)
	}
	r.tally.BindInt64(1, r.last-r.done.Messages)
	r.behead.BindInt64(1, r.last)
	return errors.Join(run(r.tally), run(r.behead))
}

func (r *restorer) take(p *piece) error {
	if (r.begin == nil) == (p.Begin == nil) {
		return fmt.Errorf("%w: it has no begin, or two", errTorn)
	}
	if p.Begin != nil {
		r.begin = p.Begin
		if err := r.takeBegin(); err != nil {
			return err
		}
	}
	for i := range p.Rooms {
		if err := r.takeRoom(&p.Rooms[i]); err != nil {
			return err
		}
	}
	for i := range p.Messages {
		if err := r.takeMessage(&p.Messages[i]); err != nil {
			return err
		}
	}
	r.end = p.End
	return nil
}

func (r *restorer) takeBegin() error {
	if r.begin.Format > copyFormat {
		return fmt.Errorf("%w: the copy's format is %d", ErrNewer, r.begin.Format)
	}
	for _, epoch := range r.begin.Epochs {
		r.putEpoch.BindInt64(1, int64(epoch))
		if err := run(r.putEpoch); err != nil {
			return err
		}
	}
	for _, p := range r.begin.Places {
		for i, v := range []int64{p.Partition, p.Epoch, p.N, p.Last, p.Floor} {
			r.putPlace.BindInt64(i+1, v)
		}
		if err := run(r.putPlace); err != nil {
			return err
		}
	}
	return nil
}

func (r *restorer) takeRoom(room *copiedRoom) error {
	r.rooms = room.ID
	r.done.Rooms++
	r.putRoom.BindInt64(1, room.ID)
	r.putRoom.BindText(2, room.Name)
	return run(r.putRoom)
}

func (r *restorer) takeMessage(m *copiedMessage) error {
	if m.N <= r.last || m.N > r.begin.Last || m.Room < 1 || m.Room > r.rooms {
		return fmt.Errorf("%w: message %d of room %d", errTorn, m.N, m.Room)
	}
	r.last = m.N
	r.done.Messages++
	s := r.putText
	for i, v := range []int64{m.N, m.Room, m.Epoch, m.Seq, m.Hash, m.Time, m.Entry, m.EntryEpoch, m.Behind} {
		s.BindInt64(i+1, v)
	}
	for i, v := range []string{m.ID, m.User, m.Name, m.Text} {
		if m.Gone {
			s.BindNull(10 + i)
		} else {
			s.BindText(10+i, v)
		}
	}
	return run(s)
}
