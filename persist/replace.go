package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

// Replace puts the database in folder from, which Restore made, in the place of the one
// in dir, which no process may use (ErrLocked), and removes from. After a crash in
// between there is one of the two, whole.
func Replace(dir, from string) error {
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	path := filepath.Join(dir, databaseFile)
	if found, err := inspect(filepath.Join(from, databaseFile)); err != nil || !found {
		return errors.Join(fmt.Errorf("persist: replace: no database in %s", from), err)
	}
	// A log that is left of the old file would be taken for the new one's. Until the
	// name changes it is the old one's, which goes without it only if it has all of it.
	if err := settle(path); err != nil {
		return fmt.Errorf("persist: replace: %w", err)
	}
	if err := publish(filepath.Join(from, databaseFile), path); err != nil {
		return err
	}
	if err := os.RemoveAll(from); err != nil {
		return fmt.Errorf("persist: replace: %w", err)
	}
	return nil
}

// settle writes what a log holds into its database, if that is a whole one, and removes
// the log.
func settle(path string) error {
	if found, err := inspect(path); found && err == nil {
		c, err := openConn(path, sqlite.OpenReadWrite)
		if err != nil {
			return err
		}
		err = errors.Join(exec(c, "PRAGMA wal_checkpoint(TRUNCATE)"), c.Close())
		if err != nil && !errors.Is(damaged(err), ErrCorrupt) {
			return err
		}
	}
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}
