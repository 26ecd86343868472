package persist

import (
	"context"
	"errors"
	"fmt"
	"nebula/shard"
)

// start starts the goroutines.
func (s *Store) start(committed func([]shard.Notice), replayed func(shard.Answer)) {
	s.writer.s, s.writer.committed = s, committed
	s.readers.s, s.readers.replayed = s, replayed
	go s.run()
}

// run is the goroutine around the others: it starts them, waits for them, and
// closes what is left.
func (s *Store) run() {
	defer close(s.done)
	s.readers.start()
	s.writer.run()
	s.readers.end(s.queue.unpark())
	s.writer.drop()
	s.ending = errors.Join(s.closeConns(), s.lock.Close())
}

// Close commits what was taken, answers what was asked, writes the log back into
// the database and closes it. Append and Replay refuse from here on. Past ctx it
// gives up what is not committed; the error says how much. Once.
func (s *Store) Close(ctx context.Context) error {
	s.Start(func([]shard.Notice) {}, func(a shard.Answer) {
		for _, m := range a.Messages {
			m.Release()
		}
	})
	s.readers.shut()
	s.queue.close()
	select {
	case <-s.done:
		return s.ending
	case <-ctx.Done():
	}
	lost := s.queue.unsettled()
	s.givingUp.Do(func() { close(s.giveUp) })
	return fmt.Errorf("persist: closed with %d messages not committed: %w", lost, ctx.Err())
}

// closeConns closes all connections. The writer's is the last one: it writes the
// log back into the database.
func (s *Store) closeConns() error {
	var faults []error
	for _, conn := range s.readConns {
		faults = append(faults, conn.Close())
	}
	if s.conn != nil {
		faults = append(faults, s.conn.Close())
	}
	s.conn, s.readConns = nil, nil
	return errors.Join(faults...)
}
