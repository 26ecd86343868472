package persist

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"
)

const (
	logPages = 16 << 20 / 4096 / checkpointScale // see checkpointer
	logCap   = 64 << 20 / 4096 / checkpointScale
	// How long a forced finish waits for readers.
	finishBusy = 250 * time.Millisecond
)

// checkpointer is the goroutine that writes the log (WAL) back into the database,
// over a connection of its own, so that no commit pays for it. A log starts over
// only when a commit finds all of it written back; steady writing never lets that
// happen, so past logCap the writer is held while the small rest is done.
type checkpointer struct {
	// Static after construction.
	s        *Store
	logPages int           // the log is written back from here on; tests change it before Start
	logCap   int           // the writer is held for it from here on; likewise
	wake     chan struct{} // one token is enough
	quit     chan struct{}

	// Owned by the writer goroutine.
	pages int // at most so many were written since the last nudge

	// Owned by the checkpointer goroutine.
	conn                  *sqlite.Conn
	look, passive, finish *sqlite.Stmt

	running sync.WaitGroup
}

// backlog is the answer of PRAGMA wal_checkpoint: the length of the log when it
// began, and how much of it is written back, in pages.
type backlog struct{ log, done int }

func (c *checkpointer) prepare(s *Store) error {
	c.s, c.logPages, c.logCap = s, logPages, logCap
	c.wake, c.quit = make(chan struct{}, 1), make(chan struct{})
	c.conn.SetBusyTimeout(finishBusy)
	return prepare(c.conn, []kept{
		{&c.look, "PRAGMA wal_checkpoint(NOOP)"},
		{&c.passive, "PRAGMA wal_checkpoint(PASSIVE)"},
		{&c.finish, "PRAGMA wal_checkpoint(RESTART)"},
	})
}

func (c *checkpointer) start() { c.running.Go(c.run) }

func (c *checkpointer) stop() {
	close(c.quit)
	c.running.Wait()
}

// nudge tells how many rows were committed, and has the checkpointer look at the
// log when that may have become much. Must be called on the writer's goroutine.
func (c *checkpointer) nudge(rows int) {
	c.pages += rows + 4 // a page of the index each at worst, and the ends of the tables
	if c.pages < c.logPages/4 {
		return
	}
	c.pages = 0
	select {
	case c.wake <- struct{}{}:
	default: // it is awake
	}
}

func (c *checkpointer) run() {
	for {
		select {
		case <-c.wake:
		case <-c.quit:
			return
		}
		if err := c.tend(); err != nil {
			c.s.failed("the log was not written back", err)
		}
	}
}

// tend writes the log back if it is long.
func (c *checkpointer) tend() error {
	b, err := ask(c.look)
	if err != nil || b.log < c.logPages {
		return err
	}
	if err := c.s.faults.hit("before-checkpoint"); err != nil {
		return err
	}
	b, err = ask(c.passive)
	if err := errors.Join(err, c.s.faults.hit("after-checkpoint")); err != nil {
		return err
	}
	// A reader that holds an old state holds up the log; holding the writer too
	// would not help.
	if b.log < c.logCap || b.done < b.log {
		return nil
	}
	if _, err = ask(c.passive); err != nil { // most of what came during the first pass
		return err
	}
	c.s.gate.Lock()
	defer c.s.gate.Unlock()
	_, err = ask(c.finish) // a reader that takes longer than finishBusy: next time
	return err
}

// ask runs a checkpoint and returns how far it got. Nothing written back, because
// somebody else was at it, is no error.
func ask(stmt *sqlite.Stmt) (b backlog, err error) {
	_, err = row(stmt, func() {
		b = backlog{stmt.ColumnInt(1), stmt.ColumnInt(2)} // column 0: busy
	})
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultBusy {
		return b, nil
	}
	if err != nil {
		return b, fmt.Errorf("persist: checkpoint: %w", err)
	}
	return b, nil
}
