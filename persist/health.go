package persist

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
)

// hangsAfter is how long a transaction may take until Health reports it.
const hangsAfter = 3 * time.Second

// Health returns nil if messages can be stored, else what is wrong; any goroutine.
func (s *Store) Health() error {
	if err := s.fault.Load(); err != nil {
		return *err
	}
	if began := s.committing.Load(); began != 0 {
		if d := time.Duration(s.cfg.Now() - began); d > hangsAfter {
			return fmt.Errorf("persist: a commit has been going on for %v", d.Round(time.Second))
		}
	}
	// Tells of a file system that was remounted read-only, and of a file that was
	// moved away, before the first message is lost to it. It opens nothing: closing
	// a descriptor of the database drops SQLite's locks.
	if err := unix.Access(s.path, unix.W_OK); err != nil {
		return fmt.Errorf("persist: %s: %w", s.path, os.NewSyscallError("access", err))
	}
	return nil
}

// retryAfter notes that a batch was not committed and waits; false: give up.
func (s *Store) retryAfter(wait time.Duration, err error) bool {
	s.errors.Add(1)
	err = explain(err)
	if s.fault.Swap(&err) == nil {
		s.cfg.Log.Error("messages cannot be stored, trying again", "err", err)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.giveUp:
		return false
	}
}

func (s *Store) givenUp() bool {
	select {
	case <-s.giveUp:
		return true
	default:
		return false
	}
}

// recovered notes that a batch was committed.
func (s *Store) recovered() {
	if s.fault.Swap(nil) != nil {
		s.cfg.Log.Info("messages are stored again")
	}
}

// failed counts and logs an error of work that will be tried again and that nobody
// waits for.
func (s *Store) failed(what string, err error) {
	s.errors.Add(1)
	s.cfg.Log.Warn(what, "err", err)
}

// report counts and logs a record that was dropped.
func (s *Store) report(err error) {
	s.errors.Add(1)
	s.cfg.Log.Error("a message was dropped", "err", err)
}

// explain says for people what SQLite says in its own words.
func explain(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		return fmt.Errorf("the disk is full: %w", err)
	case sqlite.ResultReadOnly:
		return fmt.Errorf("the database is read-only: %w", err)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("another program holds the database: %w", err)
	default:
		return err
	}
}
