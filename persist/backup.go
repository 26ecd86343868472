package persist

import (
	"context"
	"fmt"
	"io"
	"math"

	"zombiezen.com/go/sqlite"
)

// Backup writes a copy of all messages that were stored at one moment, with their
// places, for Restore. It reads the database piece by piece, each in a transaction of
// its own that ends before the piece is written: w may be as slow as it likes, and
// neither commits nor checkpoints wait. What Config.Retain removes meanwhile may be
// missing. w should end with ctx. Any goroutine; a few at a time, the others wait.
func (s *Store) Backup(ctx context.Context, w io.Writer) error {
	err := s.guests.visit(ctx, s.guests.copies, func(ctx context.Context, c *sqlite.Conn) error {
		b := backup{ctx: ctx, w: copyWriter{w: w}}
		if err := b.prepare(c); err != nil {
			return err
		}
		return b.run()
	})
	if err != nil {
		return fmt.Errorf("persist: copy: %w", err)
	}
	return nil
}

// backup writes one copy. One goroutine.
type backup struct {
	ctx  context.Context
	w    copyWriter
	done copyEnd

	tx                                    transaction
	last, epochs, places, rooms, messages *sqlite.Stmt
}

func (b *backup) prepare(c *sqlite.Conn) error {
	if err := b.tx.prepare(c, "BEGIN"); err != nil {
		return err
	}
	return prepare(c, []kept{
		{&b.last, "SELECT max(n) FROM message"},
		{&b.epochs, "SELECT epoch FROM epoch ORDER BY epoch"},
		{&b.places, "SELECT partition, epoch, n, last, floor FROM place"},
		{&b.rooms, "SELECT id, name FROM room WHERE id > ? ORDER BY id"},
		{&b.messages, "SELECT n, room, epoch, seq, hash, time, entry, entry_epoch, behind, id, user, name, text, text IS NULL " +
			"FROM message WHERE n > ? AND n <= ? ORDER BY n"},
	})
}

func (b *backup) run() error {
	first, err := b.begin()
	if err != nil {
		return err
	}
	if err := b.w.write(&piece{Begin: first}); err != nil {
		return err
	}
	// There may be rooms by now that are newer than the messages: they are empty.
	if err := b.all(b.roomsAfter, math.MaxInt64); err != nil {
		return err
	}
	if err := b.all(b.messagesAfter, first.Last); err != nil {
		return err
	}
	return b.w.write(&piece{End: &b.done})
}

// begin reads the moment whose state is copied: no n up to the last one ever gets
// another message.
func (b *backup) begin() (*copyBegin, error) {
	all := &copyBegin{Format: copyFormat}
	err := b.tx.do(func() error {
		if _, err := row(b.last, func() { all.Last = b.last.ColumnInt64(0) }); err != nil {
			return err
		}
		if err := rows(b.epochs, func() bool {
			all.Epochs = append(all.Epochs, uint64(b.epochs.ColumnInt64(0)))
			return true
		}); err != nil {
			return err
		}
		s := b.places
		return rows(s, func() bool {
			all.Places = append(all.Places, copiedPlace{
				s.ColumnInt64(0), s.ColumnInt64(1), s.ColumnInt64(2), s.ColumnInt64(3), s.ColumnInt64(4),
			})
			return true
		})
	})
	return all, err
}

// all copies a table piece by piece. read fills one with what is behind a row, up to
// another, and returns the last row that it took; 0: there was none.
func (b *backup) all(read func(p *piece, after, to int64) (int64, error), to int64) error {
	for after := int64(0); ; {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		var p piece
		last, err := read(&p, after, to)
		if err != nil || last == 0 {
			return err
		}
		after = last
		b.done.Rooms += int64(len(p.Rooms))
		b.done.Messages += int64(len(p.Messages))
		if err := b.w.write(&p); err != nil {
			return err
		}
	}
}

func (b *backup) roomsAfter(p *piece, after, _ int64) (last int64, err error) {
	s := b.rooms
	s.BindInt64(1, after)
	err = rows(s, func() bool {
		last = s.ColumnInt64(0)
		p.Rooms = append(p.Rooms, copiedRoom{last, s.ColumnText(1)})
		return len(p.Rooms) < pieceRows
	})
	return last, err
}

func (b *backup) messagesAfter(p *piece, after, to int64) (last int64, err error) {
	s, size := b.messages, 0
	s.BindInt64(1, after)
	s.BindInt64(2, to)
	err = rows(s, func() bool {
		m := copiedMessage{
			N: s.ColumnInt64(0), Room: s.ColumnInt64(1), Epoch: s.ColumnInt64(2), Seq: s.ColumnInt64(3),
			Hash: s.ColumnInt64(4), Time: s.ColumnInt64(5),
			Entry: s.ColumnInt64(6), EntryEpoch: s.ColumnInt64(7), Behind: s.ColumnInt64(8),
			ID: s.ColumnText(9), User: s.ColumnText(10), Name: s.ColumnText(11), Text: s.ColumnText(12),
			Gone: s.ColumnInt(13) != 0,
		}
		p.Messages = append(p.Messages, m)
		last = m.N
		size += len(m.ID) + len(m.User) + len(m.Name) + len(m.Text) + messageBytes
		return size < pieceBytes && len(p.Messages) < pieceRows
	})
	return last, err
}
