package persist

import (
	"context"
	"errors"
	"fmt"
	"nebula/shard"
)

// run is the goroutine around the others: it starts them, awaits them, and closes
// what is left.
func (s *Store) run() {
	defer close(s.done)
	s.readers.start()
	s.checkpointer.start()
	s.writer.run()
	s.writer.drop()
	s.guests.running.Wait()
	s.checkpointer.stop()
	s.readers.end(s.queue.unpark())
	s.ending = s.closeFiles()
}

// Close commits what was taken, writes the log back into the database and closes
// it. From its begin on Append, AppendEntry and Replay refuse, what was asked is
// answered with an error, and Stored and Backup end with one. Past ctx it gives up what
// is not committed, and the error says how much that was; what hangs is left behind.
// Again is allowed.
func (s *Store) Close(ctx context.Context) error {
	s.Start(func([]shard.Notice) {}, func(a shard.Answer) {
		for _, m := range a.Messages {
			m.Release()
		}
	})
	s.readers.shut()
	s.guests.shut()
	s.queue.close()
	select {
	case <-s.done:
		return s.ending
	case <-ctx.Done():
	}
	s.givingUp.Do(func() { close(s.giveUp) })
	return fmt.Errorf("persist: closed with %d messages not committed: %w", s.queue.unsettled(), ctx.Err())
}

// closeFiles closes all connections and gives the folder back. The writer's
// connection is the last one: it writes the log back.
func (s *Store) closeFiles() error {
	var faults []error
	for _, c := range append(s.readConns, s.checkpointer.conn, s.conn) {
		if c == nil {
			continue
		}
		if c == s.conn && s.opened {
			faults = append(faults, exec(c, "PRAGMA wal_checkpoint(TRUNCATE)"))
		}
		faults = append(faults, c.Close())
	}
	faults = append(faults, s.lock.Close())
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("persist: close: %w", err)
	}
	return nil
}
