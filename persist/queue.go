package persist

import (
	"math"
	"nebula/shard"
	"sync"
)

// queue holds what was appended and is not yet committed, and the loads that must
// wait for it. Any goroutine.
type queue struct {
	// Static after construction.
	max  int
	wake chan struct{} // to the writer; one token is enough

	// Guarded by mu.
	mu      sync.Mutex
	ring    []shard.Record    // a power of two long
	head    int               // of the oldest waiting record in ring
	count   int               // of the waiting records
	taken   uint64            // records ever taken by push
	settled uint64            // of these, how many are committed, or given up at the end
	pending map[string]uint64 // room -> number of its last record that is not settled
	parked  []parked
	wakeAt  int // push wakes the writer when so many wait
	closed  bool
}

// parked is a load that waits until record number after is settled.
type parked struct {
	after uint64
	req   shard.Request
}

func (q *queue) init(max int) {
	q.max = max
	q.wake = make(chan struct{}, 1)
	q.pending = make(map[string]uint64)
	q.wakeAt = 1
}

// push takes r, and the reference of its Body; on false the caller keeps it.
func (q *queue) push(r shard.Record) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed || q.taken-q.settled >= uint64(q.max) {
		return false
	}
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = r
	q.count++
	q.taken++
	q.pending[r.Room] = q.taken
	if q.count >= q.wakeAt {
		q.signal()
	}
	return true
}

// grow doubles the ring; q.mu must be held.
func (q *queue) grow() {
	ring := make([]shard.Record, max(64, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

// signal wakes the writer once; q.mu must be held.
func (q *queue) signal() {
	q.wakeAt = math.MaxInt
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// arm tells how many records wait, and has push wake the writer when there are at
// least that many (nothing is lost if there are already).
func (q *queue) arm(count int) (waiting int, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count < count {
		q.wakeAt = count
	}
	return q.count, q.closed
}

// take moves the oldest records to the end of batch, as many as it has room for.
func (q *queue) take(batch []shard.Record) []shard.Record {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count > 0 && len(batch) < cap(batch) {
		batch = append(batch, q.ring[q.head])
		q.ring[q.head] = shard.Record{}
		q.head = (q.head + 1) & (len(q.ring) - 1)
		q.count--
	}
	return batch
}

// settle says that the next n records, which were of these rooms, are done with.
// It appends the loads that need not wait any more to ready.
func (q *queue) settle(n int, rooms []shard.Notice, ready []shard.Request) []shard.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.settled += uint64(n)
	for i := range rooms {
		if q.pending[rooms[i].Room] <= q.settled {
			delete(q.pending, rooms[i].Room)
		}
	}
	kept := q.parked[:0]
	for _, p := range q.parked {
		if p.after <= q.settled {
			ready = append(ready, p.req)
		} else {
			kept = append(kept, p)
		}
	}
	clear(q.parked[len(kept):])
	q.parked = kept
	return ready
}

// park keeps a load until everything of its room that was pushed before is
// settled; false: that is so already.
func (q *queue) park(req shard.Request) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	after, found := q.pending[req.Room]
	if found {
		q.parked = append(q.parked, parked{after, req})
	}
	return found
}

// unsettled counts the records that were taken and are not committed.
func (q *queue) unsettled() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return int(q.taken - q.settled)
}

// close refuses every further push and wakes the writer.
func (q *queue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.signal()
}

// unpark returns the loads that still wait; they will not be served.
func (q *queue) unpark() []shard.Request {
	q.mu.Lock()
	defer q.mu.Unlock()
	var left []shard.Request
	for _, p := range q.parked {
		left = append(left, p.req)
	}
	q.parked = nil
	return left
}
