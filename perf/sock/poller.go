//go:build linux

package sock

import (
	"errors"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a socket is watched for; Hangup and Failed are always watched.
const (
	Read   = unix.EPOLLIN | unix.EPOLLRDHUP
	Write  = unix.EPOLLOUT
	Hangup = unix.EPOLLHUP
	Failed = unix.EPOLLERR
)

// Event is what happened to the socket that was added under Key.
type Event struct {
	What uint32
	Key  int32
	Gen  int32
}

// Poller is a level-triggered epoll set.
type Poller struct {
	fd     int
	raw    []unix.EpollEvent
	events []Event
	limit  unix.Timespec // here, not on the stack, which may move while its address is a number
}

// NewPoller opens one that reports up to batch events at once.
func NewPoller(batch int) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	return &Poller{fd: fd, raw: make([]unix.EpollEvent, batch), events: make([]Event, 0, batch)}, nil
}

// Add watches fd; its events carry key and gen, so that one of an earlier socket
// of the same key can be told.
func (p *Poller) Add(fd int, key, gen int32, what uint32) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, key, gen, what)
}

// Change watches fd for something else; 0 is for its end alone.
func (p *Poller) Change(fd int, key, gen int32, what uint32) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, key, gen, what)
}

func (p *Poller) control(op, fd int, key, gen int32, what uint32) error {
	event := unix.EpollEvent{Events: what, Fd: key, Pad: gen}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, op, fd, &event))
}

// Wait returns what happened, at once if something did, else after at most ns
// nanoseconds. slept tells whether it had to wait. The slice is valid until the
// next Wait.
func (p *Poller) Wait(ns int64) (events []Event, slept bool, err error) {
	n, errno := p.wait(unix.RawSyscall6, 0)
	if n == 0 && errno == 0 && ns > 0 {
		slept = true
		n, errno = p.wait(unix.Syscall6, ns)
	}
	if errno != 0 && !errors.Is(errno, unix.EINTR) {
		return nil, slept, os.NewSyscallError("epoll_pwait2", errno)
	}
	p.events = p.events[:0]
	for i := range n {
		p.events = append(p.events, Event{p.raw[i].Events, p.raw[i].Fd, p.raw[i].Pad})
	}
	return p.events, slept, nil
}

type syscall6 func(trap, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err unix.Errno)

// wait is epoll_pwait2(2): the older calls' grain is a millisecond.
func (p *Poller) wait(call syscall6, ns int64) (int, unix.Errno) {
	p.limit = unix.NsecToTimespec(ns)
	n, _, errno := call(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.raw[0])),
		uintptr(len(p.raw)), uintptr(unsafe.Pointer(&p.limit)), 0, 0)
	runtime.KeepAlive(p)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}

// Close releases the set; sockets stay open.
func (p *Poller) Close() error { return os.NewSyscallError("close", unix.Close(p.fd)) }
