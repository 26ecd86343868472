package persist

import (
	"fmt"
	"nebula/shard"
	"os"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const databaseFile = "nebula.db"

// open opens the connections: first a read-only one to look at the file, so that
// what is refused stays as it was.
func (s *Store) open() error {
	fresh, err := looksForeign(s.path)
	if err != nil {
		return err
	}
	if !fresh {
		if err := s.check(); err != nil {
			return err
		}
	}
	conn, err := s.openWriter(fresh)
	if err != nil {
		return fmt.Errorf("persist: open the database: %w", err)
	}
	s.conn = conn
	if err := migrate(conn); err != nil {
		return err
	}
	if err := s.openEpoch(conn); err != nil {
		return fmt.Errorf("persist: open an epoch: %w", err)
	}
	if err := s.count(conn); err != nil {
		return fmt.Errorf("persist: count: %w", err)
	}
	if err := s.writer.log.prepare(conn); err != nil {
		return fmt.Errorf("persist: prepare: %w", err)
	}
	return s.openReaders()
}

func (s *Store) check() error {
	conn, err := openConn(s.path, sqlite.OpenReadOnly)
	if err != nil {
		return fmt.Errorf("persist: open the database: %w", damaged(err))
	}
	s.readConns = append(s.readConns, conn)
	if _, err := version(conn); err != nil {
		return fmt.Errorf("%w: %s", err, s.path)
	}
	return nil
}

func (s *Store) openWriter(fresh bool) (*sqlite.Conn, error) {
	pragmas := []string{
		"cache_size = -65536", "journal_mode = WAL", "wal_autocheckpoint = 1000", "synchronous = NORMAL",
	}
	if s.cfg.Durability == "disk" {
		pragmas[len(pragmas)-1] = "synchronous = FULL"
	}
	if fresh {
		// Only an empty database takes it.
		pragmas = append([]string{"auto_vacuum = INCREMENTAL"}, pragmas...)
	}
	conn, err := openConn(s.path, sqlite.OpenReadWrite|sqlite.OpenCreate, pragmas...)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(s.path, 0o600); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// migrate brings the database to this version's schema, each step in a transaction.
func migrate(conn *sqlite.Conn) error {
	from, err := version(conn)
	if err != nil {
		return err
	}
	all := steps()
	for i := from; i < len(all); i++ {
		err := sqlitex.ExecuteScript(conn, fmt.Sprintf("%s; PRAGMA application_id = %d; PRAGMA user_version = %d;",
			all[i], applicationID, i+1), nil)
		if err != nil {
			return fmt.Errorf("persist: migrate to schema %d: %w", i+1, err)
		}
	}
	return nil
}

// openEpoch stores this start's epoch and learns all of them.
func (s *Store) openEpoch(conn *sqlite.Conn) error {
	const next = "INSERT INTO epoch SELECT max(?, 1 + coalesce((SELECT max(epoch) FROM epoch), 0))"
	if err := exec(conn, next, s.cfg.Now()/1e6); err != nil {
		return err
	}
	stmt, err := conn.Prepare("SELECT epoch FROM epoch ORDER BY epoch")
	if err != nil {
		return err
	}
	defer finalize(stmt)
	for {
		more, err := stmt.Step()
		if err != nil || !more {
			return err
		}
		s.epochs = append(s.epochs, uint64(stmt.ColumnInt64(0)))
	}
}

// count learns how much is stored from the ends of the tables: SQLite scans to
// count rows. No id is ever given twice, and what is removed is counted.
func (s *Store) count(conn *sqlite.Conn) error {
	ends, err := numbers(conn, "SELECT (SELECT coalesce(max(id), 0) FROM room), (SELECT coalesce(max(n), 0) FROM message), "+
		"(SELECT value FROM counter WHERE name = 'removed')", 3)
	if err != nil {
		return err
	}
	s.rooms, s.messages = int(ends[0]), int(ends[1]-ends[2])
	return nil
}

// openReaders opens the readers' connections; check has left the first one, if the
// database was there.
func (s *Store) openReaders() error {
	s.readers.box = make(chan shard.Request, maxReplays)
	for len(s.readConns) < readers {
		conn, err := openConn(s.path, sqlite.OpenReadOnly)
		if err != nil {
			return fmt.Errorf("persist: open a reader: %w", err)
		}
		s.readConns = append(s.readConns, conn)
	}
	for _, conn := range s.readConns {
		r := &reader{p: &s.readers}
		if err := r.q.prepare(conn); err != nil {
			return fmt.Errorf("persist: prepare a reader: %w", err)
		}
		s.readers.all = append(s.readers.all, r)
	}
	return nil
}
