package netpoll

import "sync/atomic"

// queue is what waits for the kernel to take it, in order. It belongs to the lock of its
// connection.
type queue struct {
	total *atomic.Int64 // Stats.QueuedBytes, of all queues

	items []item // those before head are gone
	head  int
	off   int // bytes of items[head] that the kernel took
	bytes int // all that it did not
}

// item is bytes that wait, with the reference that keeps them.
type item struct {
	bytes []byte
	owner Payload // nil for Config.SlowClose
}

// add queues b, of which the kernel took n bytes, and takes a reference to p, whose
// bytes they are; nil: nobody's. n is 0 unless the queue is empty.
func (q *queue) add(b []byte, n int, p Payload) {
	if p != nil {
		p.Retain(1)
	}
	if n > 0 {
		q.off = n
	}
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 { // room at the front before more
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	q.items = append(q.items, item{bytes: b, owner: p})
	q.count(len(b) - n)
}

// count adds n bytes to what waits.
func (q *queue) count(n int) {
	q.bytes += n
	q.total.Add(int64(n))
}

// empty is true when there is nothing left, not even a payload without bytes.
func (q *queue) empty() bool { return q.head == len(q.items) }

// sent takes n bytes off the front.
func (q *queue) sent(n int) {
	q.count(-n)
	for q.head < len(q.items) {
		first := &q.items[q.head]
		left := len(first.bytes) - q.off
		if n < left {
			q.off += n
			return
		}
		n -= left
		first.release()
		q.head, q.off = q.head+1, 0
	}
	q.reset()
}

// cut drops what waits behind the frame in flight; frameEnd is Config.FrameEnd.
func (q *queue) cut(frameEnd func(b []byte, off int) int) {
	keep := 0
	if q.off > 0 {
		first := &q.items[q.head]
		size := len(first.bytes)
		end := min(max(frameEnd(first.bytes, q.off), q.off), size)
		if end > q.off { // else a frame had just ended
			q.count(end - size)
			first.bytes = first.bytes[:end]
			keep = 1
		}
	}
	q.drop(keep)
}

// drop lets go of all that waits but the first keep items.
func (q *queue) drop(keep int) {
	for i := q.head + keep; i < len(q.items); i++ {
		it := &q.items[i]
		size := len(it.bytes)
		if i == q.head {
			size -= q.off
		}
		q.count(-size)
		it.release()
	}
	q.items = q.items[:q.head+keep]
	if keep == 0 {
		q.reset()
	}
}

// reset makes a queue in which nothing waits as new, but for its memory.
func (q *queue) reset() { q.items, q.head, q.off = q.items[:0], 0, 0 }

// release gives the item's reference back.
func (it *item) release() {
	if it.owner != nil {
		it.owner.Release()
	}
	*it = item{}
}

// appendTo appends all that waits to dst.
func (q *queue) appendTo(dst []byte) []byte {
	off := q.off
	for i := q.head; i < len(q.items); i++ {
		dst = append(dst, q.items[i].bytes[off:]...)
		off = 0
	}
	return dst
}
