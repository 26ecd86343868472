package bus

import (
	"sync"
)

const (
	batchMessages = 128      // in one script call: bounds how long Redis is kept busy by it
	batchBytes    = 64 << 10 // likewise; a message that is larger goes alone
	queueBatches  = 16       // that may wait in a partition
	batchesKept   = 2        // empty ones, for the next
)

// queue holds the messages that wait for their place, in batches that are filled as
// they come: what gathers while one is in flight goes in the next. Any goroutine.
type queue struct {
	// Static after construction.
	wake chan struct{} // to the sequencer; one token is enough

	// Guarded by mu.
	mu      sync.Mutex
	waiting []*batch // oldest first
	free    []*batch
	probe   bool // an entry is wanted even if there is no message
	closed  bool
}

// batch is what goes to the bus in one call.
type batch struct {
	drafts []draft
	body   []byte // the messages, encoded
	began  int64  // when the first one came, Unix ns
	pos    Pos    // of the entry that it became, or of a later one
}

// draft is what is remembered of a Draft besides its bytes.
type draft struct {
	room         string
	hash         uint64
	floor, known uint64
}

func newQueue() *queue { return &queue{wake: make(chan struct{}, 1)} }

// push takes d at now (Unix ns).
func (q *queue) push(d *Draft, now int64) Verdict {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return Offline
	}
	size := len(d.Room) + len(d.User) + len(d.Name) + len(d.ID) + len(d.Text) + 16
	last := len(q.waiting) - 1
	if last < 0 || len(q.waiting[last].drafts) == batchMessages || len(q.waiting[last].body)+size > batchBytes {
		if len(q.waiting) == queueBatches {
			return Busy
		}
		q.waiting = append(q.waiting, q.empty(now))
		last++
	}
	b := q.waiting[last]
	b.drafts = append(b.drafts, draft{room: d.Room, hash: d.Hash, floor: d.Floor, known: d.Known})
	b.body = appendMessage(b.body, &Message{
		Room: d.Room, Hash: d.Hash, User: d.User, Name: d.Name, ID: view(d.ID), Text: view(d.Text),
	}, false)
	poke(q.wake)
	return Taken
}

// empty returns a batch to fill; q.mu must be held.
func (q *queue) empty(now int64) *batch {
	b := &batch{}
	if last := len(q.free) - 1; last >= 0 {
		b, q.free = q.free[last], q.free[:last]
	}
	b.began = now
	return b
}

// askProbe has the sequencer make an entry even if there is no message.
func (q *queue) askProbe() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.probe = true
	poke(q.wake)
}

// take returns the oldest batch, an empty one if only a probe is wanted, nil if
// nothing is.
func (q *queue) take(now int64) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	probe := q.probe
	q.probe = false
	if len(q.waiting) == 0 {
		if !probe {
			return nil
		}
		return q.empty(now)
	}
	b := q.waiting[0]
	n := copy(q.waiting, q.waiting[1:])
	q.waiting[n] = nil
	q.waiting = q.waiting[:n]
	return b
}

// done gives a batch back that nobody uses any more.
func (q *queue) done(b *batch) {
	clear(b.drafts)
	b.drafts, b.body, b.pos = b.drafts[:0], b.body[:0], Pos{}
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.free) < batchesKept && cap(b.body) <= 2*batchBytes {
		q.free = append(q.free, b)
	}
}

// drain takes everything, oldest first.
func (q *queue) drain() []*batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.waiting
	q.waiting = nil
	return all
}

// close refuses every further push.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
}
