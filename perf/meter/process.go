//go:build linux

package meter

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ErrFormat is returned where /proc says something else than proc(5) does.
var ErrFormat = errors.New("meter: unexpected format")

// CPU is the CPU time that a process has used, children not included.
type CPU struct {
	Total        time.Duration
	User, System time.Duration // in ticks of 10 ms
}

// Sub is what was used since before.
func (c CPU) Sub(before CPU) CPU {
	return CPU{c.Total - before.Total, c.User - before.User, c.System - before.System}
}

// Add is what two used together.
func (c CPU) Add(other CPU) CPU {
	return CPU{c.Total + other.Total, c.User + other.User, c.System + other.System}
}

// Process names a process by its id; 0 is the caller's own.
type Process int

// CPU reads the process's CPU time.
func (p Process) CPU() (CPU, error) {
	pid := p.id()
	var used unix.Timespec
	clock := int32(^pid<<3) | 2 // CPUCLOCK_SCHED of clock_getcpuclockid(3)
	if err := unix.ClockGettime(clock, &used); err != nil {
		return CPU{}, os.NewSyscallError("clock_gettime", err)
	}
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return CPU{}, fmt.Errorf("meter: read CPU time: %w", err)
	}
	user, system, err := ticks(raw)
	if err != nil {
		return CPU{}, err
	}
	return CPU{Total: time.Duration(used.Nano()), User: user, System: system}, nil
}

// ticks reads fields 14 and 15 of proc(5)'s stat, which follow a name that may hold anything.
func ticks(stat []byte) (user, system time.Duration, err error) {
	end := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[end+1:])
	const utime, stime, tick = 14 - 3, 15 - 3, 10 * time.Millisecond
	if end < 0 || len(fields) <= stime {
		return 0, 0, ErrFormat
	}
	u, errU := strconv.ParseInt(string(fields[utime]), 10, 64)
	s, errS := strconv.ParseInt(string(fields[stime]), 10, 64)
	if errU != nil || errS != nil {
		return 0, 0, ErrFormat
	}
	return time.Duration(u) * tick, time.Duration(s) * tick, nil
}

// RSS reads how many bytes of the process's memory are resident.
func (p Process) RSS() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.id()))
	if err != nil {
		return 0, fmt.Errorf("meter: read memory: %w", err)
	}
	fields := bytes.Fields(raw)
	if len(fields) < 2 {
		return 0, ErrFormat
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, ErrFormat
	}
	return pages * int64(os.Getpagesize()), nil
}

func (p Process) id() int {
	if p == 0 {
		return os.Getpid()
	}
	return int(p)
}
