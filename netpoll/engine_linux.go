package netpoll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// engine is Engine over epoll.
type engine struct {
	// Static after construction.
	cfg      Config
	addr     net.Addr
	listener int // closed by the accepting loop
	loops    []*loop
	start    time.Time
	ended    chan struct{} // closed when all loops have returned

	// Owned by the accepting loop, loops[0].
	next int // loop of the next connection

	queues sync.Pool // of *queue, empty

	// Atomic.
	conns         atomic.Int64
	queued        atomic.Int64
	accepted      atomic.Uint64
	rejectedFull  atomic.Uint64
	rejectedFiles atomic.Uint64
	slow          atomic.Uint64
	closed        [NumReasons]atomic.Uint64
}

func listenEpoll(cfg Config) (Engine, error) {
	fd, addr, err := listenFD(cfg.Addr)
	if err != nil {
		return nil, err
	}
	e := &engine{cfg: cfg, addr: addr, listener: fd, start: time.Now(), ended: make(chan struct{})}
	for i := range cfg.Loops {
		l, err := newLoop(e, i)
		if err != nil {
			e.abandon()
			return nil, err
		}
		e.loops = append(e.loops, l)
	}
	e.loops[0].accepting = true
	if err := e.loops[0].watch(int32(fd), 0); err != nil {
		e.abandon()
		return nil, err
	}
	var running sync.WaitGroup
	for _, l := range e.loops {
		running.Go(l.run)
	}
	go func() {
		running.Wait()
		close(e.ended)
	}()
	return e, nil
}

// abandon closes what a failed Listen has opened.
func (e *engine) abandon() {
	_ = unix.Close(e.listener)
	for _, l := range e.loops {
		l.closeFDs()
	}
}

// listenFD binds through package net, which knows names, zones and dual stack,
// and keeps a non-blocking duplicate of the descriptor. No SO_REUSEPORT: a port
// in use would be shared silently. No multipath TCP, which net would turn on.
func listenFD(addr string) (int, net.Addr, error) {
	var lc net.ListenConfig
	lc.SetMultipathTCP(false)
	l, err := lc.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return 0, nil, err
	}
	defer l.Close()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return 0, nil, fmt.Errorf("netpoll: %T is no TCP listener", l)
	}
	fd, err := dup(tcp)
	if err != nil {
		return 0, nil, err
	}
	// For latency only; what is accepted inherits it.
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		_ = unix.Close(fd)
		return 0, nil, os.NewSyscallError("setsockopt", err)
	}
	return fd, l.Addr(), nil
}

// dup returns a non-blocking duplicate of nc's descriptor.
func dup(nc syscallConn) (int, error) {
	raw, err := nc.SyscallConn()
	if err != nil {
		return 0, err
	}
	fd := -1
	var dupErr error
	err = raw.Control(func(old uintptr) {
		fd, dupErr = unix.FcntlInt(old, unix.F_DUPFD_CLOEXEC, 0)
		if dupErr == nil {
			dupErr = unix.SetNonblock(fd, true)
		}
	})
	if err := errors.Join(err, os.NewSyscallError("dup", dupErr)); err != nil {
		if fd >= 0 {
			_ = unix.Close(fd)
		}
		return 0, err
	}
	return fd, nil
}

func (e *engine) Addr() net.Addr { return e.addr }

// sinceStart is the time of the engine's own steady clock, ns, above 0.
func (e *engine) sinceStart() int64 { return int64(time.Since(e.start)) + 1 }

// leave gives back a place in MaxConns.
func (e *engine) leave() { e.conns.Add(-1) }

func (e *engine) Busy() float64 {
	busiest, now := 0.0, e.sinceStart()
	for _, l := range e.loops {
		busiest = max(busiest, l.busy(now))
	}
	return busiest
}

func (e *engine) Each(fn func(Conn)) {
	for _, l := range e.loops {
		l.post(func() { l.each(func(c *conn) { fn(c) }) })
	}
}

func (e *engine) Stats() Stats {
	s := Stats{
		Connections: int(e.conns.Load()), Accepted: e.accepted.Load(), RejectedFull: e.rejectedFull.Load(),
		RejectedFiles: e.rejectedFiles.Load(), QueuedBytes: e.queued.Load(), SlowConsumers: e.slow.Load(),
	}
	for i := range e.closed {
		s.Closed[i] = e.closed[i].Load()
	}
	now := e.sinceStart()
	for _, l := range e.loops {
		s.BytesIn += l.bytesIn.Load()
		s.BytesOut += l.bytesOut.Load()
		s.Writes += l.writes.Load()
		s.Busy = append(s.Busy, l.busy(now))
	}
	return s
}

func (e *engine) Close(ctx context.Context) error {
	for _, l := range e.loops {
		l.post(func() { l.stopping = true }) // a loop that has ended refuses, and needs it no more
	}
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("netpoll: loops still busy: %w", ctx.Err())
	}
}
