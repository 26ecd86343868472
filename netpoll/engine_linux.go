package netpoll

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
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
	listener int
	loops    []*loop
	start    time.Time
	ended    chan struct{} // closed when all loops have returned

	// Owned by the accepting loop, loops[0].
	next int // loop of the next connection

	// Atomic.
	conns         atomic.Int64
	queued        atomic.Int64
	accepted      atomic.Uint64
	rejectedFull  atomic.Uint64
	rejectedFiles atomic.Uint64
	slow          atomic.Uint64
	closed        [NumReasons]atomic.Uint64

	stop sync.Once
}

// Listen opens the port and starts the loops. A port that somebody else listens
// on is refused.
func Listen(cfg Config) (Engine, error) {
	cfg.defaults()
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
		_ = unix.Close(fd)
		close(e.ended)
	}()
	return e, nil
}

func (cfg *Config) defaults() {
	if cfg.Loops == 0 {
		cfg.Loops = max(1, runtime.GOMAXPROCS(0)/4)
	}
	if cfg.MaxConns == 0 {
		cfg.MaxConns = 1 << 20
	}
	if cfg.ReadBytes == 0 {
		cfg.ReadBytes = 64 << 10
	}
	if cfg.SendBytes == 0 {
		cfg.SendBytes = 1 << 20
	}
	if cfg.SendBytesTotal == 0 {
		cfg.SendBytesTotal = 1 << 30
	}
	if cfg.FrameEnd == nil {
		cfg.FrameEnd = func(b []byte, _ int) int { return len(b) }
	}
	if cfg.CutAfter == 0 {
		cfg.CutAfter = 10 * time.Second
	}
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
// in use would be shared silently.
func listenFD(addr string) (int, net.Addr, error) {
	l, err := net.Listen("tcp", addr)
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

func (e *engine) sinceStart() int64 { return int64(time.Since(e.start)) }

// leave gives back a place in MaxConns.
func (e *engine) leave() { e.conns.Add(-1) }

func (e *engine) Busy() float64 {
	busiest := 0.0
	for _, l := range e.loops {
		busiest = max(busiest, l.busyNow())
	}
	return busiest
}

func (e *engine) Each(fn func(Conn)) {
	for _, l := range e.loops {
		l.post(func() {
			for _, c := range l.conns {
				fn(c)
			}
		})
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
	for _, l := range e.loops {
		s.BytesIn += l.bytesIn.Load()
		s.BytesOut += l.bytesOut.Load()
		s.Writes += l.writes.Load()
		s.Busy = append(s.Busy, l.busyNow())
	}
	return s
}

func (e *engine) Close(ctx context.Context) error {
	e.stop.Do(func() {
		for _, l := range e.loops {
			l.post(func() { l.stopping = true })
		}
	})
	select {
	case <-e.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("netpoll: loops still busy: %w", ctx.Err())
	}
}

// Adopt implements Engine: it dups the descriptor, because nc's belongs to Go's poller.
func (e *engine) Adopt(nc net.Conn, read []byte) error {
	sc, ok := nc.(syscallConn)
	if !ok {
		return fmt.Errorf("netpoll: cannot adopt a %T", nc)
	}
	remote, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("netpoll: adopt: %w", err)
	}
	fd, err := dup(sc)
	if err != nil {
		return fmt.Errorf("netpoll: adopt: %w", err)
	}
	e.conns.Add(1) // before nc gives its place back: the two must not both be free
	_ = nc.Close() // the duplicate lives on
	l := e.loops[fd%len(e.loops)]
	if !l.post(func() { l.add(fd, remote, read) }) {
		e.leave()
		_ = unix.Close(fd)
		return ErrClosed
	}
	return nil
}
