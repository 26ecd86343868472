package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"zombiezen.com/go/sqlite"
)

// Faults of a database that Open refuses and leaves as it is.
var (
	ErrForeign = errors.New("persist: the file is not a Nebula database")
	ErrNewer   = errors.New("persist: the database was written by a newer version of Nebula")
	ErrCorrupt = errors.New("persist: the database is damaged")
)

// Offsets in a database file's header, numbers big endian (sqlite.org/fileformat.html).
const (
	headerSize    = 100
	magic         = "SQLite format 3\x00"
	pageSizeAt    = 16
	changesAt     = 24
	pagesAt       = 28
	userVersionAt = 60
	applicationAt = 68
	validForAt    = 92 // pagesAt holds if this equals changesAt
)

// inspect looks at the file itself, before any connection is open: SQLite would
// touch what it opens, and closing a descriptor of the file drops the POSIX locks
// of every connection to it. It tells whether there is a database.
func inspect(path string) (found bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, lonelyLog(path)
	}
	if err != nil {
		return false, fmt.Errorf("persist: open the database: %w", err)
	}
	defer f.Close()
	head := make([]byte, headerSize)
	n, err := io.ReadFull(f, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return false, lonelyLog(path)
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return false, fmt.Errorf("persist: read the database: %w", err)
	case n < headerSize || string(head[:len(magic)]) != magic:
		return false, ErrForeign
	}
	if binary.BigEndian.Uint32(head[applicationAt:]) != applicationID {
		return false, ErrForeign
	}
	if v := binary.BigEndian.Uint32(head[userVersionAt:]); v > uint32(len(steps())) {
		return false, newer(int64(v))
	}
	return true, whole(f, head)
}

func newer(version int64) error {
	return fmt.Errorf("%w: its schema is %d, this version knows up to %d", ErrNewer, version, len(steps()))
}

// lonelyLog refuses a log without its database: SQLite would delete it.
func lonelyLog(path string) error {
	switch info, err := os.Stat(path + "-wal"); {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("persist: look for a log: %w", err)
	case info.Size() > 0:
		return fmt.Errorf("%w: its log is there, it is not", ErrCorrupt)
	}
	return nil
}

// whole refuses a file that was cut short. With a log it may be short: its pages
// are written back in order, and page 1 comes first.
func whole(f *os.File, head []byte) error {
	if log, err := os.Stat(f.Name() + "-wal"); err == nil && log.Size() > 0 {
		return nil
	}
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("persist: stat the database: %w", err)
	}
	pageSize := int64(binary.BigEndian.Uint16(head[pageSizeAt:]))
	if pageSize == 1 {
		pageSize = 65536
	}
	want := pageSize * int64(binary.BigEndian.Uint32(head[pagesAt:]))
	counted := binary.BigEndian.Uint32(head[changesAt:]) == binary.BigEndian.Uint32(head[validForAt:])
	if counted && info.Size() < want {
		return fmt.Errorf("%w: %d bytes of %d", ErrCorrupt, info.Size(), want)
	}
	return nil
}

// probe asks a read-only connection for what only SQLite can tell: the version, if
// a migration still stands in the log alone, and both ends of each table and index.
// A full check would take time by the size of the history.
func probe(c *sqlite.Conn) error {
	row, err := numbers(c, "PRAGMA user_version", 1)
	if err != nil {
		return damaged(err)
	}
	if row[0] > int64(len(steps())) {
		return newer(row[0])
	}
	ends := []string{
		"SELECT min(epoch) FROM epoch", "SELECT max(epoch) FROM epoch", "SELECT value FROM counter",
		"SELECT id FROM room ORDER BY id LIMIT 1", "SELECT id FROM room ORDER BY id DESC LIMIT 1",
		"SELECT id FROM room ORDER BY name LIMIT 1", "SELECT id FROM room ORDER BY name DESC LIMIT 1",
		"SELECT n, text FROM message ORDER BY n LIMIT 1", "SELECT n, text FROM message ORDER BY n DESC LIMIT 1",
		"SELECT seq FROM message ORDER BY room, epoch, seq LIMIT 1",
		"SELECT seq FROM message ORDER BY room DESC, epoch DESC, seq DESC LIMIT 1",
	}
	if row[0] > 1 {
		ends = append(ends, "SELECT partition FROM place ORDER BY partition LIMIT 1", "SELECT partition FROM place ORDER BY partition DESC LIMIT 1")
	}
	for _, sql := range ends {
		if err := exec(c, sql); err != nil {
			return damaged(err)
		}
	}
	return nil
}

// damaged says so if that is what err means.
func damaged(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB, sqlite.ResultError: // ERROR: a table is not there
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	default:
		return fmt.Errorf("persist: open the database: %w", err)
	}
}
