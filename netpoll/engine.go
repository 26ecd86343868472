package netpoll

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// Errors of this package.
var (
	ErrClosed      = errors.New("netpoll: closed")
	ErrUnsupported = errors.New("netpoll: no engine for this operating system")
)

// Payload is a run of bytes shared by reference. Bytes must not change while a
// reference is held. It is an alias so that other packages can spell the same
// type without importing this one.
type Payload = interface {
	Bytes() []byte
	Retain(n int)
	Release()
}

// Engine runs event loops on one listening port. Its methods may be called from
// any goroutine.
type Engine interface {
	// Addr is the address that is listened on.
	Addr() net.Addr
	// Adopt moves a connection that was detached before back to a loop; read, which
	// it keeps, is what was read from it and not served. On an error the caller
	// keeps nc, as it was.
	Adopt(nc net.Conn, read []byte) error
	// Each runs fn soon, for every connection that its loop has then, on the loop's
	// goroutine; not at all once the engine is closed. fn may detach any of them.
	Each(fn func(Conn))
	// Busy is the share of the last window of at least 20 ms that the busiest loop
	// did not wait, 0 to 1. It needs no turn of a loop: one that blocks is 0 and one
	// that is stuck is 1 a window later.
	Busy() float64
	// Stats returns the counters.
	Stats() Stats
	// Close closes the listener and all connections, without what they had queued,
	// and waits for the loops. It must not be called on a loop goroutine. An error
	// says that ctx ended first; the loops are still ending then.
	Close(ctx context.Context) error
}

// Handler is told what happens on one loop, on the goroutine of that loop.
type Handler interface {
	// Open is the first call for c.
	Open(c Conn)
	// Data takes bytes read from c and returns how many it used up; the rest comes
	// again, in front of what is read next. It may overwrite what it used up. It is
	// not called once c is ending (Finish, Close, a send limit).
	// The slice is valid until Data returns.
	Data(c Conn, in []byte) (n int)
	// Timeout says that the time of SetDeadline has passed; nothing is set now.
	Timeout(c Conn)
	// Closed is the last call for c, whose descriptor is closed already. It does not
	// come after Detach.
	Closed(c Conn, why Reason)
	// EndBatch comes after the events of one wait were handled, and once after the
	// last Closed.
	EndBatch()
}

// Conn is one connection. It is never reused: what is kept too long meets a closed
// connection, not somebody else's.
type Conn interface {
	// Send sends p, or queues what the kernel did not take. It lends p: a
	// reference is taken only for what is queued. false: closed or closing, or this
	// went over a limit and ends the connection; p did not go out whole. Any
	// goroutine.
	Send(p Payload) bool
	// Finish sends p (nil: nothing) as the last bytes, whatever the limits, then ends
	// the sending direction; the connection is closed when the peer closes too, at
	// the latest Config.CutAfter later. It lends p. What the peer still says is read
	// and dropped. Any goroutine; the first call counts.
	Finish(p Payload, why Reason)
	// Close closes without sending what is queued, soon. Any goroutine.
	Close(why Reason)
	// Remote is the peer's address, without an IPv6 zone. Any goroutine.
	Remote() netip.AddrPort

	// Context returns what SetContext was given, nil at first.
	// Must be called on the loop goroutine.
	Context() any
	// SetContext keeps a value with the connection.
	// Must be called on the loop goroutine.
	SetContext(v any)
	// SetDeadline has Timeout called once, never before in has passed and about
	// 125 ms after it at the most; it replaces the one set before, 0 removes it. It
	// does nothing once the connection is ending. Must be called on the loop
	// goroutine.
	SetDeadline(in time.Duration)
	// Detach takes the connection off the loop: the caller owns the net.Conn, whose
	// first reads return unread, which it keeps. The connection keeps its place in
	// Config.MaxConns until the net.Conn is closed. ErrClosed: it is ending, or has
	// something queued. After any other error it is closed, without Closed.
	// Must be called on the loop goroutine, from Data if something was left unused.
	Detach(unread []byte) (net.Conn, error)
}
