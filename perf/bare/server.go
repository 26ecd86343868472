//go:build linux

package bare

import (
	"errors"
	"fmt"
	"nebula/perf/sock"
	"net/netip"
	"sync/atomic"
	"time"
)

const (
	eventsAtOnce = 512
	readBytes    = 64 << 10
	stopWithin   = 100 * time.Millisecond
	listenerKey  = 0 // no client has descriptor 0
)

// Server is the floor. New opens it, Run serves.
type Server struct {
	// Static after construction.
	listener int
	bound    netip.AddrPort
	poller   *sock.Poller

	// Owned by the goroutine of Run.
	conns   []*conn // by descriptor
	rooms   map[string]*room
	in      []byte // shared read buffer: a partial frame in front, then what was read
	out     []byte // frame under construction
	payload []byte // its payload
	guests  uint64

	// Atomic.
	stopping atomic.Bool
	dropped  atomic.Int64
}

// New listens at a loopback address; port 0 is any free one.
func New(at netip.AddrPort) (*Server, error) {
	if !at.Addr().Is4() || !at.Addr().IsLoopback() {
		return nil, fmt.Errorf("bare: %v is no IPv4 loopback address", at)
	}
	listener, bound, err := sock.Listen(at)
	if err != nil {
		return nil, fmt.Errorf("bare: listen on %v: %w", at, err)
	}
	poller, err := sock.NewPoller(eventsAtOnce)
	if err != nil {
		sock.Close(listener)
		return nil, err
	}
	if err := poller.Add(listener, listenerKey, 0, sock.Read); err != nil {
		sock.Close(listener)
		return nil, errors.Join(err, poller.Close())
	}
	return &Server{
		listener: listener, bound: bound, poller: poller,
		rooms: make(map[string]*room), in: make([]byte, 2*readBytes),
	}, nil
}

// Addr is where it listens.
func (s *Server) Addr() netip.AddrPort { return s.bound }

// Dropped is how many frames the kernel did not take.
func (s *Server) Dropped() int64 { return s.dropped.Load() }

// Close makes Run return soon.
func (s *Server) Close() { s.stopping.Store(true) }

// Run serves until Close, and then closes everything.
func (s *Server) Run() error {
	for !s.stopping.Load() {
		events, _, err := s.poller.Wait(int64(stopWithin))
		if err != nil {
			return err
		}
		for _, e := range events {
			if e.Key == listenerKey {
				s.accept()
			} else {
				s.readable(s.conns[e.Key])
			}
		}
	}
	for _, c := range s.conns {
		s.drop(c)
	}
	sock.Close(s.listener)
	return s.poller.Close()
}

// accept takes every waiting connection. With no descriptor left it takes none
// and tries again at once: a floor is never started that short of them.
func (s *Server) accept() {
	for {
		fd, err := sock.Accept(s.listener)
		if err != nil {
			return
		}
		for fd >= len(s.conns) {
			s.conns = append(s.conns, nil)
		}
		s.conns[fd] = &conn{fd: fd}
		if err := s.poller.Add(fd, int32(fd), 0, sock.Read); err != nil {
			s.drop(s.conns[fd])
		}
	}
}
