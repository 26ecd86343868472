package netpoll

import (
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

type syscallConn interface {
	SyscallConn() (syscall.RawConn, error)
}

// detached is a connection that left its loop for net/http.
type detached struct {
	*net.TCPConn
	e      *engine
	once   sync.Once
	unread []byte // Read returns it first; owned by the reader
}

func (d *detached) Read(p []byte) (int, error) {
	if len(d.unread) > 0 {
		n := copy(p, d.unread)
		d.unread = d.unread[n:]
		return n, nil
	}
	return d.TCPConn.Read(p)
}

func (d *detached) Close() error {
	d.once.Do(d.e.leave)
	return d.TCPConn.Close()
}

func (c *conn) Detach(unread []byte) (net.Conn, error) {
	l := c.loop
	c.mu.Lock()
	if c.state != stateOpen || len(c.out) > 0 {
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
	if err != nil {
		l.e.leave()
		l.e.closed[ReasonError].Add(1)
		return nil, err
	}
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		_ = nc.Close()
		l.e.leave()
		return nil, ErrUnsupported
	}
	return &detached{TCPConn: tcp, e: l.e, unread: unread}, nil
}
