package netpoll

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// accept takes up to acceptBatch connections; the listener's event comes again
// if there are more.
func (l *loop) accept() {
	for range acceptBatch {
		fd, sa, err := unix.Accept4(l.e.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			l.admit(fd, sa)
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.pause()
			return
		case unix.EINTR, unix.ECONNABORTED:
		case unix.EAGAIN:
			return
		default: // an error of the connection that was to be accepted (accept(2), NOTES)
			return
		}
	}
}

// admit gives fd to the next loop, or tells it that the server is full.
func (l *loop) admit(fd int, sa unix.Sockaddr) {
	e := l.e
	if e.conns.Add(1) > int64(e.cfg.MaxConns) {
		e.leave()
		e.rejectedFull.Add(1)
		_, _ = sendto(int32(fd), e.cfg.RejectFull) // a fresh socket's buffer has room
		_ = unix.Close(fd)
		return
	}
	e.accepted.Add(1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // latency only
	remote := addrPort(sa)
	to := e.loops[e.next%len(e.loops)]
	e.next++
	if to == l {
		l.add(fd, remote, nil)
	} else if !to.post(func() { to.add(fd, remote, nil) }) {
		_ = unix.Close(fd)
		e.leave()
	}
}

// pause disarms the listener: a connection that cannot be accepted would make
// every wait return at once.
func (l *loop) pause() {
	l.e.rejectedFiles.Add(1)
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, l.e.listener, nil)
	l.rearm = time.Now().Add(acceptPause)
}

// acceptAgain arms the listener when its pause is over.
func (l *loop) acceptAgain() {
	if l.rearm.IsZero() || time.Now().Before(l.rearm) {
		return
	}
	if err := l.watch(int32(l.e.listener), 0); err != nil {
		l.rearm = time.Now().Add(acceptPause)
		return
	}
	l.rearm = time.Time{}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
