package persist

import (
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// applicationID marks our files (sqlite.org/fileformat.html, offset 68): "NeBu".
const applicationID = 0x4e654275

// steps returns the migrations: step i brings a database from user_version i to
// i+1. A step that was released never changes; new ones are added at the end.
//
// room.cut_epoch and cut_seq: every message up to that place lost its text to
// Config.Retain, or is gone. counter 'removed': how many numbers n, counted from 1,
// stand for no message any more. The index holds time too: see "Decisions" in doc.go.
//
// place: how far each partition of the bus's log is stored. Its columns last and floor,
// and what is added to message: see chain.
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
	name TEXT NOT NULL UNIQUE,
	cut_epoch INTEGER NOT NULL DEFAULT 0,
	cut_seq INTEGER NOT NULL DEFAULT 0
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
CREATE UNIQUE INDEX message_place ON message (room, epoch, seq, hash, time);
`, `
ALTER TABLE message ADD COLUMN entry INTEGER;
ALTER TABLE message ADD COLUMN entry_epoch INTEGER;
ALTER TABLE message ADD COLUMN behind INTEGER;
CREATE TABLE place (
	partition INTEGER PRIMARY KEY,
	epoch INTEGER NOT NULL,
	n INTEGER NOT NULL,
	last INTEGER NOT NULL,
	floor INTEGER NOT NULL
);
`}
}

// migrate brings a database to the schema that steps describe, each step in a
// transaction of its own.
func migrate(c *sqlite.Conn, steps []string) error {
	row, err := numbers(c, "PRAGMA user_version", 1)
	if err != nil {
		return fmt.Errorf("persist: read the schema's version: %w", err)
	}
	from := int(row[0])
	for i := from; i < len(steps); i++ {
		script := fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d;", steps[i], applicationID, i+1)
		if err := sqlitex.ExecuteScript(c, script, nil); err != nil {
			return fmt.Errorf("persist: migrate to schema %d: %w", i+1, err)
		}
	}
	if from == len(steps) {
		return nil
	}
	// So that a version from before sees the new number in the file itself.
	if err := exec(c, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("persist: write schema %d back: %w", len(steps), err)
	}
	return nil
}
