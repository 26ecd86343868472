//go:build linux

package load

import "nebula/perf/check"

// state is how far a client has come; later ones include earlier ones.
type state uint8

const (
	away       state = iota // no socket
	connecting              // connect(2) has not ended
	upgrading               // waits for the 101
	greeting                // waits for welcome
	idle                    // connected, in no room
	joining                 // waits for joined
	joined
)

// client is one player. Hot fields stand first.
type client struct {
	room   *room // the one it is to be in; nil: none
	fd     int32
	gen    int32 // of its socket; rises with each
	place  int32 // in Generator.clients
	state  state
	here   bool // counted in Generator.arrived
	slow   bool // one of those who may stop reading
	paused bool // does not read now
	asking bool // a question for history has no answer
	stream check.Stream
	tail   []byte // a frame that has not come whole
	out    []byte // bytes that the kernel did not take

	epoch    string // of the newest joined; empty: never joined
	mask     uint64 // state of the generator of masking keys
	leftAt   int64  // when its connection ended
	retryAt  int64  // when it comes back
	spread   int64  // from goodbye: it comes back within that time
	cut      uint64 // messages below this number may have gone with a connection
	joinedAt int64
	presence int    // frames of a large room since the storm began
	count    uint64 // newest count of its room
}

// room is what the members of this worker know of a room.
type room struct {
	index   int32
	name    string
	epoch   string // of the newest joined
	head    uint64 // highest seq acked or seen
	acked   uint64 // highest seq acked
	ready   int    // members that are joined and not slow
	members int    // clients that are to be in it

	reader  *client // who reads the history for an audit
	auditAt uint64  // the first seq of its newest page
	audited bool    // read to the first message
	ring    []known
}

// known is a message that was read and judged in full.
type known struct {
	seq      uint64
	due      int64
	measured bool
	got      int // members that have it
	want     int // members that were there when it came first
	frame    []byte
}

// maxKnown is the longest frame that is kept, bytes.
const maxKnown = 16 << 10

// key is what the handshake of its socket is built on.
func (c *client) key() uint64 { return uint64(uint32(c.gen))<<32 | uint64(uint32(c.place)) }

// forget makes the ring empty: another epoch may use its numbers again.
func (r *room) forget() {
	for i := range r.ring {
		r.ring[i].seq = 0
	}
}

// at is the place for seq.
func (r *room) at(seq uint64) *known { return &r.ring[seq&uint64(len(r.ring)-1)] }
