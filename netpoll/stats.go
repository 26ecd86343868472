package netpoll

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
