package persist

import (
	"errors"
	"fmt"
	"io"
	"os"

	"zombiezen.com/go/sqlite"
)

// Faults of a database file that Open refuses and leaves untouched.
var (
	ErrForeign = errors.New("persist: the file is not a Nebula database")
	ErrNewer   = errors.New("persist: the database was written by a newer version of Nebula")
	ErrCorrupt = errors.New("persist: the database is damaged")
)

// applicationID marks our files (SQLite's PRAGMA application_id): "NeBu".
const applicationID = 0x4e654275

// steps returns the migrations: step i brings a database from user_version i to
// i+1. Steps that were released never change; new ones are added at the end.
func steps() []string {
	return []string{`
CREATE TABLE epoch (
	epoch INTEGER PRIMARY KEY
);
CREATE TABLE counter (
	name TEXT PRIMARY KEY,
	value INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO counter VALUES ('removed', 0);
CREATE TABLE room (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE
);
CREATE TABLE message (
	n INTEGER PRIMARY KEY,
	room INTEGER NOT NULL,
	epoch INTEGER NOT NULL,
	seq INTEGER NOT NULL,
	hash INTEGER NOT NULL,
	id TEXT,
	user TEXT,
	name TEXT,
	text TEXT,
	time INTEGER NOT NULL
);
CREATE UNIQUE INDEX message_place ON message (room, epoch, seq, hash);
`}
}

// looksForeign refuses what is no SQLite database by its first bytes alone. It
// must run before any connection is open: closing a descriptor of the file would
// drop their POSIX locks.
func looksForeign(path string) (fresh bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("persist: open the database: %w", err)
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	n, err := io.ReadFull(f, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return true, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return false, fmt.Errorf("persist: read the database: %w", err)
	case string(head[:n]) != magic:
		return false, fmt.Errorf("%w: %s", ErrForeign, path)
	}
	return false, nil
}

// version returns how many steps the database has seen; 0 for an empty one.
func version(c *sqlite.Conn) (int, error) {
	row, err := numbers(c, "SELECT (SELECT application_id FROM pragma_application_id), "+
		"(SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM sqlite_schema)", 3)
	if err != nil {
		return 0, damaged(err)
	}
	switch app, user, tables := row[0], row[1], row[2]; {
	case app == 0 && user == 0 && tables == 0:
		return 0, nil
	case app != applicationID:
		return 0, ErrForeign
	case user > int64(len(steps())):
		return 0, fmt.Errorf("%w: its schema is %d, this version knows %d", ErrNewer, user, len(steps()))
	default:
		return int(user), nil
	}
}

// damaged says so if that is what err means.
func damaged(err error) error {
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}
