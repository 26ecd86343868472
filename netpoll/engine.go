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
	// Adopt moves a connection that was detached before back to a loop; read is
	// what was read from it and not served. On an error the caller keeps nc.
	Adopt(nc net.Conn, read []byte) error
	// Each runs fn for every connection, on its loop's goroutine, soon.
	Each(fn func(Conn))
	// Busy is the share of the last window of at least 20 ms that the busiest loop
	// did not wait, 0 to 1.
	Busy() float64
	// Stats returns the counters.
	Stats() Stats
	// Close closes the listener and all connections and waits for the loops.
	Close(ctx context.Context) error
}

// Handler is told what happens on one loop, on the goroutine of that loop.
type Handler interface {
	// Open is the first call for c.
	Open(c Conn)
	// Data takes bytes read from c and returns how many it used up; the rest comes
	// again, in front of what is read next. It may overwrite what it used up.
	// The slice is valid until Data returns.
	Data(c Conn, in []byte) (n int)
	// Timeout says that the time of SetDeadline has passed; nothing is set now.
	Timeout(c Conn)
	// Closed is the last call for c. It does not come after Detach.
	Closed(c Conn, why Reason)
	// EndBatch comes after the events of one wait were handled.
	EndBatch()
}

// Conn is one connection.
type Conn interface {
	// Send sends p, or queues what the kernel did not take. It lends p: a
	// reference is taken only for what is queued. false: closed or closing, nothing
	// was sent. Any goroutine.
	Send(p Payload) bool
	// Finish sends p (nil: nothing) as the last bytes, then ends the sending
	// direction; the connection is closed when the peer closes too, at the latest
	// Config.CutAfter later. It lends p. Any goroutine; the first call counts.
	Finish(p Payload, why Reason)
	// Close closes without sending what is queued. Any goroutine.
	Close(why Reason)
	// Remote is the peer's address.
	Remote() netip.AddrPort

	// Context returns what SetContext was given, nil at first.
	// Must be called on the loop goroutine.
	Context() any
	// SetContext keeps a value with the connection.
	// Must be called on the loop goroutine.
	SetContext(v any)
	// SetDeadline has Timeout called once, about that time from now; it replaces
	// the one set before, 0 removes it. Must be called on the loop goroutine.
	SetDeadline(in time.Duration)
	// Detach takes the connection off the loop: the caller owns the net.Conn, whose
	// first reads return unread. It keeps its place in Config.MaxConns until it is
	// closed. Must be called on the loop goroutine, with nothing queued.
	Detach(unread []byte) (net.Conn, error)
}

// Config is what Listen needs. Zero values mean the default.
type Config struct {
	Addr           string                      // as net.Listen takes it, TCP
	Loops          int                         // event loops; default one for each 4 CPUs, at least 1
	MaxConns       int                         // open connections; default 1<<20
	ReadBytes      int                         // read buffer of a loop and so the longest unused rest; default 64 KiB
	SendBytes      int                         // unsent bytes of one connection; default 1 MiB
	SendBytesTotal int64                       // unsent bytes of all; default 1 GiB
	SlowClose      []byte                      // last bytes for a connection past these limits
	FrameEnd       func(b []byte, off int) int // end of the frame of b that holds byte off; default: all of b is one
	CutAfter       time.Duration               // time to take the last bytes; default 10 s
	RejectFull     []byte                      // told to a connection past MaxConns
	Handler        func(loop int) Handler      // makes the handler of each loop
}

// Reason is why a connection ended.
type Reason uint8

// The reasons; String is the value of the metric's label.
const (
	ReasonPeer      Reason = iota // the peer closed
	ReasonReset                   // the peer or the network reset it
	ReasonIdle                    // nothing came for too long
	ReasonHandshake               // no (good) upgrade in time
	ReasonSlow                    // it read too slowly
	ReasonProtocol                // it broke the protocol
	ReasonPolicy                  // it broke a limit
	ReasonTooBig                  // it sent too large a message
	ReasonRestart                 // the server drains
	ReasonShutdown                // the engine closed
	ReasonError                   // a system call failed
	NumReasons      = iota
)

func (r Reason) String() string {
	return [NumReasons]string{
		"peer", "reset", "idle", "handshake", "slow", "protocol", "policy", "too_big", "restart", "shutdown", "error",
	}[r]
}

// Stats are counters since the start and gauges of now.
type Stats struct {
	Connections   int                // open now, detached ones included
	Accepted      uint64             // connections taken
	RejectedFull  uint64             // refused past MaxConns
	RejectedFiles uint64             // times that accept met the limit of open files
	Closed        [NumReasons]uint64 // by Reason, detached ones not included
	BytesIn       uint64             // read by the loops
	BytesOut      uint64             // taken by the kernel
	Writes        uint64             // send system calls
	QueuedBytes   int64              // waiting for the kernel to take them
	SlowConsumers uint64             // connections past a send limit
	Busy          []float64          // by loop, see Engine.Busy
}
