//go:build unix

package netpoll

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/tidwall/evio"
)

// Detach duplicates the descriptor, because evio makes its own a blocking one when it lets go of it,
// and with it the duplicate: until it has, nobody may read.
func (c *evioConn) Detach(unread []byte) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state != evioOpen || !c.out.empty() || c.pending.Len() > 0 {
		return nil, ErrClosed
	}
	nc, err := netConn(c.fd)
	if err != nil { // EMFILE
		c.state, c.why = evioDoomed, ReasonError
		return nil, fmt.Errorf("netpoll: detach: %w", err)
	}
	c.state = evioDetached
	c.deadline(0, nil)
	c.gone = make(chan struct{})
	c.wake() // in case that this is no turn of c's own
	return &detached{TCPConn: nc, leave: c.e.leave, ready: c.gone, unread: unread}, nil
}

// netConn returns a net.Conn of the socket that fd is a descriptor of.
func netConn(fd int) (*net.TCPConn, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Dup(fd)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	nc, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return nc.(*net.TCPConn), nil
}

// detached is called when evio has let go of a connection.
func (e *evioEngine) detached(ec evio.Conn, rwc io.ReadWriteCloser) evio.Action {
	c := ec.Context().(*evioConn)
	_ = syscall.SetNonblock(c.fd, true)
	_ = rwc.Close()
	c.ended(ReasonPeer) // never told: it is detached
	return evio.None
}

// Adopt joins nc to a new connection to our own port by two goroutines that copy: evio cannot be
// given a descriptor.
func (e *evioEngine) Adopt(nc net.Conn, read []byte) error {
	outside, ok := nc.(*detached)
	if !ok {
		return fmt.Errorf("netpoll: cannot adopt a %T", nc)
	}
	remote, err := netip.ParseAddrPort(nc.RemoteAddr().String())
	if err != nil {
		return fmt.Errorf("netpoll: adopt: %w", err)
	}
	if behind, ok := e.adopted.Load(remote); ok { // for the second time
		remote = behind.(netip.AddrPort)
	}
	if !e.mayJoin() {
		return ErrClosed
	}
	inside, err := dialSelf(e.addr)
	if err != nil {
		e.joints.Done()
		return fmt.Errorf("netpoll: adopt: %w", err)
	}
	key := netip.MustParseAddrPort(inside.LocalAddr().String())
	e.adopted.Store(key, netip.AddrPortFrom(remote.Addr().Unmap(), remote.Port()))
	outside.once.Do(outside.leave) // inside has a place of its own
	go func() {
		defer e.joints.Done()
		e.join(outside, inside, read)
		e.adopted.Delete(key)
	}()
	return nil
}

// mayJoin counts one more joint; false: the engine is closed.
func (e *evioEngine) mayJoin() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false
	}
	e.joints.Add(1)
	return true
}

// dialSelf connects to a port of this process.
func dialSelf(addr net.Addr) (*net.TCPConn, error) {
	nc, err := net.DialTimeout("tcp", addr.String(), time.Second)
	if err != nil {
		return nil, err
	}
	return nc.(*net.TCPConn), nil
}

// join copies between a peer and our own port until both have ended; the peer has CutAfter for it once
// we have.
func (e *evioEngine) join(outside *detached, inside *net.TCPConn, read []byte) {
	defer func() {
		_ = outside.Close()
		_ = inside.Close()
	}()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		if _, err := inside.Write(read); err == nil {
			_, _ = io.Copy(inside, outside)
		}
		_ = inside.CloseWrite()
	}()
	_, _ = io.Copy(outside.TCPConn, inside)
	_ = outside.CloseWrite()
	select {
	case <-copied:
	case <-e.quit:
		_ = outside.Close()
	case <-time.After(e.cfg.CutAfter):
		_ = outside.Close()
	}
	<-copied
}
