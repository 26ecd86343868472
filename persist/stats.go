package persist

import "nebula/shard"

// Stats is how the Store is doing.
type Stats struct {
	Queue  int              // records that were taken and are not committed
	Commit *shard.Histogram // seconds a transaction; shared, it goes on counting
	Batch  *shard.Histogram // records a transaction; shared, it goes on counting
	Errors uint64           // transactions, checkpoints and reads that failed
}

// Stats returns the counters; any goroutine.
func (s *Store) Stats() Stats {
	return Stats{Queue: s.queue.unsettled(), Commit: s.commits, Batch: s.batches, Errors: s.errors.Load()}
}
