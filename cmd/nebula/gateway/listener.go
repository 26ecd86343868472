package gateway

import (
	"net"
	"sync"
)

// plainBacklog is how many connections may wait for net/http to accept them.
const plainBacklog = 256

// Listener is the net.Listener from which net/http accepts the connections
// that an event loop found to speak plain HTTP. Safe for any goroutine.
type Listener struct {
	// Static after construction.
	conns chan net.Conn
	done  chan struct{}

	// Guarded by mu: without it an offer could pass a Close and leak.
	mu     sync.Mutex
	closed bool
}

// NewListener returns an open Listener.
func NewListener() *Listener {
	return &Listener{conns: make(chan net.Conn, plainBacklog), done: make(chan struct{})}
}

// offer hands nc over without waiting; on false the caller keeps it.
func (l *Listener) offer(nc net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	select {
	case l.conns <- nc:
		return true
	default:
		return false
	}
}

// Accept waits for a connection or for Close.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conns:
		return nc, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and closes the connections that nobody accepted.
func (l *Listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	close(l.done)
	for {
		select {
		case nc := <-l.conns:
			_ = nc.Close() // never served: nobody to tell
		default:
			return nil
		}
	}
}

// Addr is needed by net.Listener; the port is the event loops'.
func (l *Listener) Addr() net.Addr { return &net.TCPAddr{} }
