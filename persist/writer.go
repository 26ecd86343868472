package persist

import (
	"nebula/shard"
	"time"
)

const (
	maxBatch   = 1000 // records in a transaction
	batchBits  = 10   // 1<<batchBits is above maxBatch
	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// writer is the one goroutine that writes messages.
type writer struct {
	// Static after construction.
	s         *Store
	committed func([]shard.Notice)

	// Owned by the writer goroutine.
	log     ledger
	batch   []shard.Record
	notices []shard.Notice
	ready   []shard.Request
}

// run commits what was appended until the queue is closed and empty, or the Store
// gives up.
func (w *writer) run() {
	w.batch = make([]shard.Record, 0, maxBatch)
	for {
		waiting, closed := w.s.queue.arm(1)
		if waiting == 0 {
			if closed {
				return
			}
			<-w.s.queue.wake
			continue
		}
		w.batch = w.s.queue.take(w.batch[:0])
		if !w.persist() {
			return
		}
	}
}

// persist commits the batch, however often it takes, and tells who waits for it.
// false: the Store gave up, and the batch is lost.
func (w *writer) persist() bool {
	wait := firstRetry
	for {
		err := w.commit()
		if err == nil {
			break
		}
		if !w.s.retryAfter(wait, err) {
			return false
		}
		wait = min(2*wait, lastRetry)
	}
	w.release()
	w.ready = w.s.queue.settle(len(w.batch), w.notices, w.ready[:0])
	clear(w.batch)
	w.batch = w.batch[:0]
	w.committed(w.notices)
	clear(w.notices)
	for _, req := range w.ready {
		w.s.readers.post(req)
	}
	clear(w.ready)
	return true
}

// commit writes the batch in one transaction and gathers its notices.
func (w *writer) commit() error {
	began := w.s.cfg.Now()
	w.s.committing.Store(began)
	defer w.s.committing.Store(0)
	var err error
	if w.notices, err = w.log.commit(w.batch, w.notices[:0]); err != nil {
		return err
	}
	w.s.commits.Observe(float64(w.s.cfg.Now()-began)/1e9, 1)
	w.s.batches.Observe(float64(len(w.batch)), 1)
	w.s.fault.Store(nil)
	return nil
}

// release gives the batch's references back.
func (w *writer) release() {
	for i := range w.batch {
		w.batch[i].Body.Release()
		w.batch[i].Body = nil
	}
}

// drop lets go of everything that was taken and will not be committed.
func (w *writer) drop() {
	for len(w.batch) > 0 {
		w.release()
		w.batch = w.s.queue.take(w.batch[:0])
	}
}
