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
// connection, linked through the connections themselves. It belongs to a loop.
type wheel struct {
	now   int64 // tick up to which all slots were worked off
	slots [wheelSlots]*conn
	used  [wheelSlots / 64]uint64 // a bit for each slot that is not empty
}

// ticks of a time in nanoseconds on any steady clock.
func ticks(now int64) int64 { return now / int64(tick) }

// add puts c in the slot in which its time will have passed.
func (w *wheel) add(c *conn, in time.Duration) {
	c.due = max(w.now+int64((in+tick-1)/tick), w.now+1)
	slot := c.due % wheelSlots
	c.prev, c.next = nil, w.slots[slot]
	if c.next != nil {
		c.next.prev = c
	}
	w.slots[slot] = c
	w.used[slot/64] |= 1 << (slot % 64)
}

// remove takes c out if it is in.
func (w *wheel) remove(c *conn) {
	if c.due == 0 {
		return
	}
	slot := c.due % wheelSlots
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		w.slots[slot] = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	}
	if w.slots[slot] == nil {
		w.used[slot/64] &^= 1 << (slot % 64)
	}
	c.due, c.prev, c.next = 0, nil, nil
}

// advance calls expired for every connection whose time passed by now.
func (w *wheel) advance(now int64, expired func(*conn)) {
	if now-w.now > wheelSlots { // slept for more than a turn: one turn sees every slot
		w.now = now - wheelSlots
	}
	for w.now < now {
		w.now++
		for c := w.slots[w.now%wheelSlots]; c != nil; {
			next := c.next
			if c.due <= w.now {
				w.remove(c)
				expired(c)
			}
			c = next
		}
	}
}

// wait returns the ticks until the next slot that is not empty, -1 if all are.
func (w *wheel) wait() int64 {
	start := (w.now + 1) % wheelSlots
	for i := range int64(len(w.used)) + 1 {
		word := (start/64 + i) % int64(len(w.used))
		set := w.used[word]
		if i == 0 {
			set &= ^uint64(0) << (start % 64)
		}
		if set != 0 {
			slot := word*64 + int64(bits.TrailingZeros64(set))
			return (slot-start+wheelSlots)%wheelSlots + 1
		}
	}
	return -1
}
