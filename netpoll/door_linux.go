package netpoll

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"
)

// maxPosted is what a door keeps room for, functions.
const maxPosted = 1024

// door is how other goroutines reach a loop's: functions that it will run. Wakes
// are coalesced, and a loop that is awake needs none.
type door struct {
	// Static after construction.
	wake int // eventfd

	// Guarded by mu.
	mu     sync.Mutex
	posted []func()
	asleep bool // the loop waits, or is about to, and has not been woken
	closed bool

	// Owned by the loop goroutine.
	spare []func()
}

// post has the loop run fn; false: it has ended. Everything that is posted before
// that is run, at the end at the latest.
func (d *door) post(fn func()) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return false
	}
	d.posted = append(d.posted, fn)
	if d.asleep {
		d.asleep = false
		var one [8]byte
		binary.NativeEndian.PutUint64(one[:], 1)
		// Under the lock: the descriptor is closed only after closed was set. EAGAIN
		// means that it is awake anyway.
		_, _ = unix.Write(d.wake, one[:])
	}
	return true
}

// sleep says that the loop is about to wait; false: something was posted.
func (d *door) sleep() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asleep = len(d.posted) == 0
	return d.asleep
}

// woken takes the wake out of the eventfd.
func (d *door) woken() {
	var count [8]byte
	_, _ = unix.Read(d.wake, count[:]) // EAGAIN would mean that it was none
}

// run runs what was posted, and if last refuses more from now on.
func (d *door) run(last bool) {
	d.mu.Lock()
	posted := d.posted
	d.posted, d.spare = d.spare, nil
	d.asleep = false
	d.closed = last
	d.mu.Unlock()
	for _, fn := range posted {
		fn()
	}
	if cap(posted) <= maxPosted {
		clear(posted)
		d.spare = posted[:0]
	}
}
