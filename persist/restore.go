package persist

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
)

// ErrExists says that a folder has a database already.
var ErrExists = errors.New("persist: there is a database already")

// Restore makes a database of what Backup writes, in a folder that has none; it is made
// if absent. The database gets its name when it is whole, checked and on the disk;
// after an error there is none. ErrExists, ErrLocked: nothing was read. ErrNewer: a
// newer version wrote the copy. ctx is looked at between pieces; r should end with it.
func Restore(ctx context.Context, dir string, r io.Reader) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("persist: make the folder: %w", err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return err
	}
	defer lock.Close()
	path := filepath.Join(dir, databaseFile)
	switch found, err := inspect(path); {
	case err != nil:
		return fmt.Errorf("%w: %s", err, path)
	case found:
		return fmt.Errorf("%w: %s", ErrExists, path)
	}
	draft, err := newDraft(path)
	if err != nil {
		return err
	}
	if err := rebuild(ctx, draft, r); err != nil {
		return errors.Join(fmt.Errorf("persist: restore: %w", err), removeDraft(draft))
	}
	return publish(draft, path)
}

// rebuild makes a database of a copy and syncs it.
func rebuild(ctx context.Context, draft string, r io.Reader) error {
	if err := build(draft); err != nil {
		return err
	}
	// Nobody needs the draft after a crash, so nothing is synced before the end.
	c, err := openConn(draft, sqlite.OpenReadWrite, "journal_mode = MEMORY", "synchronous = OFF", "cache_size = -65536")
	if err != nil {
		return err
	}
	b := restorer{ctx: ctx, r: copyReader{r: r}, conn: c}
	if err := errors.Join(b.run(), c.Close()); err != nil {
		return err
	}
	if err := verify(draft); err != nil {
		return err
	}
	f, err := os.OpenFile(draft, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// verify looks at a draft like Open, but may write: whoever closes a log last should be
// able to remove it.
func verify(draft string) error {
	if _, err := inspect(draft); err != nil {
		return err
	}
	c, err := openConn(draft, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	return errors.Join(probe(c), c.Close())
}
