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
	ring    []item            // a power of two long
	head    int               // of the oldest waiting item in ring
	count   int               // of the waiting items
	taken   uint64            // items ever taken by push and pushEntry
	settled uint64            // of these, how many are committed, or given up at the end
	pending map[string]uint64 // room -> number of its last item that is not settled
	parked  []parked
	wakeAt  int // push wakes the writer when so many wait
	closed  bool
}

// item is what waits for the writer: a record, or the place of an entry that has none.
type item struct {
	shard.Record             // Body nil: there is none
	entry        shard.Place // N 0: of no entry
	last         bool        // a transaction may end behind it
}

// parked is a load that waits until item number after is settled.
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
	if !q.admits(1) {
		return false
	}
	q.add(item{Record: r, last: true})
	q.signalIfDue()
	return true
}

// pushEntry takes all records of an entry, and the references of their Bodies; on false
// the caller keeps them. An entry that is larger than the queue is taken when nothing
// waits, so that it is not refused for ever.
func (q *queue) pushEntry(records []shard.Record, p shard.Place) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.admits(max(1, len(records))) {
		return false
	}
	for i := range records {
		q.add(item{records[i], p, i == len(records)-1})
	}
	if len(records) == 0 {
		q.add(item{entry: p, last: true})
	}
	q.signalIfDue()
	return true
}

// admits tells whether n more items may be taken; q.mu must be held.
func (q *queue) admits(n int) bool {
	open := q.taken - q.settled
	return !q.closed && (open == 0 || open+uint64(n) <= uint64(q.max))
}

// add puts an item behind the others; q.mu must be held.
func (q *queue) add(it item) {
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = it
	q.count++
	q.taken++
	if it.Body != nil {
		q.pending[it.Room] = q.taken
	}
}

// grow doubles the ring; q.mu must be held.
func (q *queue) grow() {
	ring := make([]item, max(64, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}

// signalIfDue wakes the writer if it waits for no more than there is; q.mu must be held.
func (q *queue) signalIfDue() {
	if q.count >= q.wakeAt {
		q.signal()
	}
}

// signal wakes the writer once; q.mu must be held.
func (q *queue) signal() {
	q.wakeAt = math.MaxInt
	select {
	case q.wake <- struct{}{}:
	default: // it is awake
	}
}

// arm tells how many items wait, and has push wake the writer when there are at
// least that many (nothing is lost if there are already).
func (q *queue) arm(count int) (waiting int, closed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.count < count {
		q.wakeAt = count
	}
	return q.count, q.closed
}

// take moves the oldest items to the end of batch until it has maxBatch of them, and
// all of the last one's entry.
func (q *queue) take(batch []item) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	for q.count > 0 && (len(batch) < maxBatch || !batch[len(batch)-1].last) {
		batch = append(batch, q.ring[q.head])
		q.ring[q.head] = item{}
		q.head = (q.head + 1) & (len(q.ring) - 1)
		q.count--
	}
	return batch
}

// settle says that the next n items, which were of these rooms, are done with.
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

// unsettled counts the items that were taken and are not committed.
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
