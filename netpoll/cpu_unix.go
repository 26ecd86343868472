//go:build unix

package netpoll

import (
	"runtime"
	"sync"
	"syscall"
	"time"
)

// cpuMeter measures how busy the process is, for an engine that does not tell when it waits.
type cpuMeter struct {
	mu    sync.Mutex
	start time.Time // of the window
	spent time.Duration
	share float64 // of the last window
}

func newCPUMeter() *cpuMeter { return &cpuMeter{start: time.Now(), spent: cpuTime()} }

// busy is the share of the CPUs' time that the process had in the last window of at least busyWindow, 0 to 1.
// Any goroutine.
func (m *cpuMeter) busy() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if length := time.Since(m.start); length >= busyWindow {
		spent := cpuTime()
		m.share = min(float64(spent-m.spent)/float64(length)/float64(runtime.GOMAXPROCS(0)), 1)
		m.start, m.spent = m.start.Add(length), spent
	}
	return m.share
}

// cpuTime is what the process has had of all CPUs, user and system.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0 // never: the arguments are right (getrusage(2))
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
