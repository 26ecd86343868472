package netpoll

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	acceptBatch = 128                    // connections accepted in one batch
	acceptPause = 100 * time.Millisecond // until accept is tried again after a failure
)

// accept takes up to acceptBatch connections; the listener's event comes again
// if there are more.
func (l *loop) accept() {
	for range acceptBatch {
		fd, sa, err := unix.Accept4(l.e.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		switch err {
		case nil:
			l.admit(fd, sa)
		case unix.EAGAIN:
			return
		case unix.EINTR, unix.ECONNABORTED, unix.ENETDOWN, unix.EPROTO, unix.ENOPROTOOPT, unix.EHOSTDOWN,
			unix.ENONET, unix.EHOSTUNREACH, unix.EOPNOTSUPP, unix.ENETUNREACH, unix.EPERM:
			// The connection that was to be accepted failed, and is gone from the
			// queue (accept(2), "Error handling").
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.e.rejectedFiles.Add(1)
			l.pause()
			return
		default: // the listener itself is broken; to look again costs little
			l.pause()
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
		l.reject(int32(fd))
		return
	}
	e.accepted.Add(1)
	remote := addrPort(sa)
	to := e.loops[e.next%len(e.loops)]
	e.next++
	if to == l {
		l.add(fd, remote, nil)
	} else if !to.post(func() { to.add(fd, remote, nil) }) { // Close has ended it before this one
		_ = unix.Close(fd)
		e.leave()
		e.closed[ReasonShutdown].Add(1)
	}
}

// reject says RejectFull, for which a fresh socket has room. What the client has
// said already is read: unread, it would turn the close into a reset, which
// overtakes the answer.
func (l *loop) reject(fd int32) {
	_, _ = send(fd, l.cfg.RejectFull)
	_ = unix.Shutdown(int(fd), unix.SHUT_WR)
	_, _ = receive(fd, l.buf)
	_ = unix.Close(int(fd))
}

// pause disarms the listener: a connection that cannot be accepted would make
// every wait return at once.
func (l *loop) pause() {
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, l.e.listener, nil)
	l.rearm = l.e.sinceStart() + int64(acceptPause)
}

// acceptAgain arms the listener when its pause is over.
func (l *loop) acceptAgain(now int64) {
	if l.rearm == 0 || now < l.rearm {
		return
	}
	l.rearm = 0
	if err := l.watch(int32(l.e.listener), 0); err != nil {
		l.rearm = now + int64(acceptPause)
	}
}

func addrPort(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr), uint16(sa.Port))
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 0) // a TCP socket has one of the two
}
