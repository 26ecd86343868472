package netpoll

import (
	"math"
	"sync/atomic"
	"time"
)

// busyWindow is the shortest time over which busy is measured.
const busyWindow = 20 * time.Millisecond

// meter measures how much of its time a loop does not wait. Times are
// nanoseconds on one steady clock, above 0; it begins working at 0.
type meter struct {
	// Owned by the loop goroutine.
	start  int64 // of the window
	waited int64 // of the window, ns
	since  int64 // of the wait

	// Atomic. Two values that each make sense alone, so that no reader needs a lock:
	// within a window of turned the last share holds, after that turned tells all.
	share  atomic.Uint64 // math.Float64bits of the last full window
	turned atomic.Int64  // when the loop last began to wait, or minus when it began to work
}

// rest says that the loop begins to wait. Must be called on the loop goroutine.
func (m *meter) rest(now int64) {
	m.since = now
	m.turned.Store(now)
}

// work says that it has ended to. Must be called on the loop goroutine.
func (m *meter) work(now int64) {
	m.waited += now - m.since
	if length := now - m.start; length >= int64(busyWindow) {
		m.share.Store(math.Float64bits(1 - float64(m.waited)/float64(length)))
		m.start, m.waited = now, 0
	}
	m.turned.Store(-now)
}

// busy is the share of the last window that the loop did not wait, 0 to 1. Any
// goroutine.
func (m *meter) busy(now int64) float64 {
	switch turned := m.turned.Load(); {
	case turned > 0 && now-turned >= int64(busyWindow):
		return 0 // it has been waiting for all of it
	case turned <= 0 && now+turned >= int64(busyWindow):
		return 1
	}
	return math.Float64frombits(m.share.Load())
}
