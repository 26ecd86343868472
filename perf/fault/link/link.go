package link

import (
	"fmt"
	"net"
	"sync"
)

// chunk is how much is passed on at once, bytes.
const chunk = 16 << 10

// Link is one address. Its methods may be called from any goroutine.
type Link struct {
	// Static after construction.
	listener net.Listener
	to       string // a Unix socket
	closed   chan struct{}

	// Guarded by mu.
	mu    sync.Mutex
	open  chan struct{} // closed while what comes is passed on
	dead  bool          // connections end at once
	conns map[net.Conn]bool

	running sync.WaitGroup
}

// Listen makes a link to a Unix socket, at an address of its own.
func Listen(to string) (*Link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("link: %w", err)
	}
	l := &Link{
		listener: listener, to: to, closed: make(chan struct{}), open: make(chan struct{}), conns: make(map[net.Conn]bool),
	}
	close(l.open)
	l.running.Go(l.accept)
	return l, nil
}

// Addr is where it listens.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// Stall stops what goes either way, without a word to anybody, until Mend.
func (l *Link) Stall() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.open:
		l.open = make(chan struct{})
	default:
	}
}

// Break ends all connections, new ones at once, until Mend.
func (l *Link) Break() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	for c := range l.conns {
		c.Close()
	}
}

// Mend undoes Stall and Break.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = false
	select {
	case <-l.open:
	default:
		close(l.open)
	}
}

// Close ends everything.
func (l *Link) Close() error {
	l.Break()
	close(l.closed)
	err := l.listener.Close()
	l.running.Wait()
	return err
}

func (l *Link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.running.Go(func() { l.serve(near) })
	}
}

// serve passes on both directions of a connection.
func (l *Link) serve(near net.Conn) {
	if !l.keep(near) {
		return
	}
	defer l.forget(near)
	if !l.pass() {
		return
	}
	far, err := net.Dial("unix", l.to)
	if err != nil {
		return // nobody is there: near is told by its end
	}
	if !l.keep(far) {
		return
	}
	defer l.forget(far)
	back := make(chan struct{})
	l.running.Go(func() {
		defer close(back)
		l.pump(near, far)
	})
	l.pump(far, near)
	<-back
}

// pump passes on one direction until either end is closed, and closes both.
func (l *Link) pump(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	b := make([]byte, chunk)
	for {
		n, err := from.Read(b)
		if !l.pass() {
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// pass waits until what comes is to be passed on; false: never again.
func (l *Link) pass() bool {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	select {
	case <-open:
		return true
	case <-l.closed:
		return false
	}
}

func (l *Link) keep(c net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		c.Close()
		return false
	}
	l.conns[c] = true
	return true
}

func (l *Link) forget(c net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
	c.Close()
}
