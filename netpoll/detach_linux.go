package netpoll

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

type syscallConn interface {
	SyscallConn() (syscall.RawConn, error)
}

func (c *conn) Detach(unread []byte) (net.Conn, error) {
	l := c.loop
	c.mu.Lock()
	if c.state != stateOpen || c.out != nil {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	c.state = stateClosed
	c.mu.Unlock()
	l.forget(c)
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, int(c.fd), nil) // the duplicate would keep it registered
	file := os.NewFile(uintptr(c.fd), "")
	defer file.Close()
	nc, err := net.FileConn(file)
	if err != nil { // EMFILE: for a moment it needs two descriptors
		l.e.leave()
		l.e.closed[ReasonError].Add(1)
		return nil, fmt.Errorf("netpoll: detach: %w", err)
	}
	return &detached{TCPConn: nc.(*net.TCPConn), leave: l.e.leave, unread: unread}, nil
}

// Adopt implements Engine. It duplicates the descriptor, because nc's belongs to
// Go's poller.
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
	if d, ok := nc.(*detached); ok && len(d.unread) > 0 { // nobody has read it since Detach
		read = append(read[:len(read):len(read)], d.unread...)
	}
	e.conns.Add(1) // before nc gives its place back: the two must not both be free
	l := e.loops[fd%len(e.loops)]
	if !l.post(func() { l.add(fd, remote, read) }) {
		_ = unix.Close(fd)
		e.leave()
		return ErrClosed
	}
	_ = nc.Close() // the duplicate lives on
	return nil
}
