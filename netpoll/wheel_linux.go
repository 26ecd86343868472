package netpoll

import (
	"math/bits"
	"time"
)

// A tick of the wheel, and its slots: one turn is 64 s, longer deadlines stay
// for another.
const (
	tick       = 125 * time.Millisecond
	wheelSlots = 512
)

// wheel is a hashed timing wheel (Varghese and Lauck, 1987): one deadline a
// connection, linked through the connections themselves. Times are nanoseconds on
// one steady clock. It belongs to a loop.
type wheel struct {
	now   int64 // tick up to which all slots were worked off
	slots [wheelSlots]*conn
	used  [wheelSlots / 64]uint64 // a bit for each slot that is not empty
	fired *conn                   // due, and expired next
}

// add puts c, which is in no list, where it will be found once at has passed: the
// tick that begins then or the next one.
func (w *wheel) add(c *conn, at int64) {
	due := max((at+int64(tick)-1)/int64(tick), w.now+1)
	c.due = uint32(due) // 17 years
	slot := due % wheelSlots
	push(&w.slots[slot], c)
	w.used[slot/64] |= 1 << (slot % 64)
}

// remove takes c out if it is in.
func (w *wheel) remove(c *conn) {
	if c.due == 0 {
		return
	}
	slot := c.due % wheelSlots
	if w.fired == c {
		w.fired = c.next
	} else if w.slots[slot] == c {
		if w.slots[slot] = c.next; c.next == nil {
			w.used[slot/64] &^= 1 << (slot % 64)
		}
	}
	unlink(c)
	c.due = 0
}

// advance calls expired for every connection whose time passed by now. expired may
// add and remove any connection.
func (w *wheel) advance(now int64, expired func(*conn)) {
	to := now / int64(tick)
	if to-w.now > wheelSlots { // slept for more than a turn: one turn sees every slot
		w.now = to - wheelSlots
	}
	for w.now < to {
		w.now++
		w.fire(w.now % wheelSlots)
		for w.fired != nil {
			c := w.fired
			w.remove(c)
			expired(c)
		}
	}
}

// fire moves what is due from a slot to fired: the slot's list could not be walked
// while expired changes it.
func (w *wheel) fire(slot int64) {
	for c := w.slots[slot]; c != nil; {
		next := c.next
		if due := c.due; int64(due) <= w.now {
			w.remove(c)
			c.due = due
			push(&w.fired, c)
		}
		c = next
	}
}

// next returns the time of the next slot that is not empty, -1 if all are.
func (w *wheel) next() int64 {
	start := (w.now + 1) % wheelSlots
	for i := range int64(len(w.used)) + 1 {
		word := (start/64 + i) % int64(len(w.used))
		set := w.used[word]
		if i == 0 {
			set &= ^uint64(0) << (start % 64)
		}
		if set != 0 {
			slot := word*64 + int64(bits.TrailingZeros64(set))
			return (w.now + 1 + (slot-start+wheelSlots)%wheelSlots) * int64(tick)
		}
	}
	return -1
}

// push puts c at the front of a list.
func push(list **conn, c *conn) {
	c.prev, c.next = nil, *list
	if c.next != nil {
		c.next.prev = c
	}
	*list = c
}

// unlink takes c from between its neighbours.
func unlink(c *conn) {
	if c.prev != nil {
		c.prev.next = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	c.prev, c.next = nil, nil
}
