package persist

import (
	"fmt"
	"nebula/shard"

	"zombiezen.com/go/sqlite"
)

// open opens the connections.
func (s *Store) open() error {
	found, err := inspect(s.path)
	if err != nil {
		return fmt.Errorf("%w: %s", err, s.path)
	}
	if !found {
		if err := create(s.path); err != nil {
			return err
		}
	}
	// The readers come first: what is wrong is found by a connection that cannot
	// write.
	if err := s.openReaders(); err != nil {
		return err
	}
	if err := s.openWriter(); err != nil {
		return err
	}
	if !s.cfg.Clustered {
		if err := openEpoch(s.conn, s.cfg.Now()); err != nil {
			return fmt.Errorf("persist: open an epoch: %w", err)
		}
	}
	if s.epochs, err = readEpochs(s.conn); err != nil {
		return fmt.Errorf("persist: read the epochs: %w", err)
	}
	if err := s.places.load(s.conn); err != nil {
		return fmt.Errorf("persist: read the places: %w", err)
	}
	s.opened = true
	if s.rooms, s.messages, err = count(s.conn); err != nil {
		return fmt.Errorf("persist: count: %w", err)
	}
	return s.prepare()
}

func (s *Store) openReaders() error {
	s.readers.s, s.readers.box = s, make(chan shard.Request, maxReplays)
	for range readers {
		c, err := openConn(s.path, sqlite.OpenReadOnly)
		if err != nil {
			return damaged(err)
		}
		s.readConns = append(s.readConns, c)
		if len(s.readConns) == 1 {
			if err := probe(c); err != nil {
				return fmt.Errorf("%w: %s", err, s.path)
			}
		}
	}
	return nil
}

// openWriter opens the writer's connection and the checkpointer's, and migrates.
func (s *Store) openWriter() (err error) {
	synchronous := "synchronous = NORMAL"
	if s.cfg.Durability == "disk" {
		synchronous = "synchronous = FULL"
	}
	// wal_autocheckpoint: the checkpointer does it. secure_delete: what -retain
	// removes is overwritten, and not just let go of; inserts do not feel it.
	if s.conn, err = openConn(s.path, sqlite.OpenReadWrite, synchronous,
		"wal_autocheckpoint = 0", "cache_size = -65536", "secure_delete = ON"); err != nil {
		return fmt.Errorf("persist: open the writer's connection: %w", err)
	}
	if s.checkpointer.conn, err = openConn(s.path, sqlite.OpenReadWrite, synchronous, "wal_autocheckpoint = 0"); err != nil {
		return fmt.Errorf("persist: open the checkpointer's connection: %w", err)
	}
	return migrate(s.conn, steps())
}

// prepare makes everybody's statements.
func (s *Store) prepare() error {
	if err := s.writer.prepare(s); err != nil {
		return fmt.Errorf("persist: prepare the writer: %w", err)
	}
	if err := s.checkpointer.prepare(s); err != nil {
		return fmt.Errorf("persist: prepare the checkpointer: %w", err)
	}
	for _, c := range s.readConns {
		r := &reader{p: &s.readers}
		if err := r.q.prepare(c, s.cfg.Retain); err != nil {
			return fmt.Errorf("persist: prepare a reader: %w", err)
		}
		s.readers.all = append(s.readers.all, r)
	}
	return nil
}
