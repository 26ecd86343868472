package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

const databaseFile = "nebula.db"

// create makes an empty database of the newest schema. It is built under another
// name and renamed, so that a nebula.db that is there is always a whole one,
// whenever the process was killed.
func create(path string) error {
	draft, err := newDraft(path)
	if err != nil {
		return err
	}
	if err := build(draft); err != nil {
		return errors.Join(fmt.Errorf("persist: create the database: %w", err), removeDraft(draft))
	}
	return publish(draft, path)
}

// newDraft returns the name of a database in the making, and removes what a process
// that was killed left of one.
func newDraft(path string) (draft string, err error) {
	draft = path + ".new"
	return draft, removeDraft(draft)
}

func removeDraft(draft string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(draft + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("persist: remove a draft: %w", err)
		}
	}
	return nil
}

// publish gives a draft, which must be synced, its name.
func publish(draft, path string) error {
	if err := os.Rename(draft, path); err != nil {
		return fmt.Errorf("persist: name the database: %w", err)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("persist: open the folder: %w", err)
	}
	defer dir.Close()
	if err := dir.Sync(); err != nil { // else a power cut may take the name back
		return fmt.Errorf("persist: sync the folder: %w", err)
	}
	return nil
}

func build(path string) error {
	// SQLite gives the log the mode of the database.
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	c, err := openConn(path, sqlite.OpenReadWrite, "auto_vacuum = INCREMENTAL", "synchronous = FULL", "journal_mode = WAL")
	if err != nil {
		return err
	}
	return errors.Join(migrate(c, steps()), c.Close())
}
