package persist

import (
	"nebula/shard"
	"time"
)

const (
	// pace is the shortest time from one commit's begin to the next one's while
	// less than a full batch waits. What comes after a longer time is committed at
	// once.
	pace = 2 * time.Millisecond

	firstRetry = 50 * time.Millisecond
	lastRetry  = time.Second
)

// writer is the one goroutine that writes messages.
type writer struct {
	// Static after construction.
	s         *Store
	committed func([]shard.Notice)
	pace      time.Duration // tests change it before Start

	// Owned by the writer goroutine.
	tx     transaction
	ledger ledger
	retain retainer
	timer  *time.Timer
	began  time.Time // the last attempt to commit
	batch  []item
	ready  []shard.Request
}

func (w *writer) prepare(s *Store) error {
	w.s, w.pace = s, pace
	w.timer = time.NewTimer(time.Hour)
	w.batch = make([]item, 0, maxBatch)
	if err := w.tx.prepare(s.conn, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	if err := w.ledger.prepare(s); err != nil {
		return err
	}
	return w.retain.prepare(&w.tx, s)
}

// run commits what was appended until the queue is closed and empty, or the Store
// gives up.
func (w *writer) run() {
	defer w.timer.Stop()
	for {
		waiting, closed := w.s.queue.arm(1)
		switch {
		case waiting > 0:
			if !closed {
				w.hold()
			}
			if !w.persist() {
				return
			}
			w.retain.between()
		case closed:
			w.retain.finish()
			return
		case !w.retain.slice():
			w.sleep(w.retain.idle())
		}
	}
}

// hold waits until the next commit is due by pace, or a whole batch is there.
func (w *writer) hold() {
	rest := w.pace - time.Since(w.began)
	if rest <= 0 {
		return
	}
	if waiting, _ := w.s.queue.arm(maxBatch); waiting < maxBatch {
		w.sleep(rest)
	}
}

// sleep waits until push wakes the writer or rest is over.
func (w *writer) sleep(rest time.Duration) {
	w.timer.Reset(rest)
	select {
	case <-w.s.queue.wake:
	case <-w.timer.C:
	}
}

// persist commits one batch, however often it takes, and tells who waits for it.
// false: the Store gave up, and the batch is lost.
func (w *writer) persist() bool {
	w.batch = w.s.queue.take(w.batch[:0])
	w.s.faults.ackEarly(w.batch, w.committed)
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		if w.s.givenUp() {
			return false
		}
		err := w.commit()
		if err == nil {
			break
		}
		if !w.s.retryAfter(wait, err) {
			return false
		}
	}
	w.s.places.set(w.ledger.moved)
	w.retain.note(w.ledger.touched)
	w.release()
	notices := w.ledger.notices
	w.ready = w.s.queue.settle(len(w.batch), notices, w.ready[:0])
	clear(w.batch)
	w.batch = w.batch[:0]
	_ = w.s.faults.hit("before-ack")
	if len(notices) > 0 {
		w.committed(notices)
	}
	_ = w.s.faults.hit("after-ack")
	clear(notices)
	for _, req := range w.ready {
		w.s.readers.post(req)
	}
	clear(w.ready)
	return true
}

// commit writes the batch in one transaction.
func (w *writer) commit() error {
	w.began = time.Now()
	w.s.committing.Store(w.s.cfg.Now())
	defer w.s.committing.Store(0)
	w.s.gate.Lock()
	err := w.ledger.commit(w.batch)
	w.s.gate.Unlock()
	if err != nil {
		return err
	}
	w.s.recovered()
	w.s.commits.Observe(time.Since(w.began).Seconds(), 1)
	w.s.batches.Observe(float64(len(w.batch)), 1)
	w.s.checkpointer.nudge(len(w.batch))
	return nil
}

// release gives the batch's references back.
func (w *writer) release() {
	for i := range w.batch {
		if body := w.batch[i].Body; body != nil {
			body.Release()
			w.batch[i].Body = nil
		}
	}
}

// drop lets go of everything that was taken and will not be committed.
func (w *writer) drop() {
	for len(w.batch) > 0 {
		w.release()
		clear(w.batch)
		w.batch = w.s.queue.take(w.batch[:0])
	}
}
