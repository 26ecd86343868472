package shard

import "nebula/frame"

// Payload is a run of bytes shared by reference, as netpoll spells it.
type Payload = interface {
	Bytes() []byte
	Retain(n int)
	Release()
}

// Outlet is a member's connection. Send never blocks and lends p; false: the
// connection is ending.
type Outlet interface{ Send(p Payload) bool }

// Journal makes messages durable. Append never blocks and takes the reference of
// r.Body; on false (full or failing) the caller keeps it. What was taken is
// committed in the order of Append and told by Set.Committed.
type Journal interface{ Append(r Record) bool }

// History reads what was stored. Replay never blocks; false: too many wait. Each
// question that was taken is answered once, by Set.Replayed; if it is late, who asked
// is told so meanwhile.
type History interface{ Replay(q Request) bool }

// Relay is the rest of the cluster as a shard sees it: who gives messages their place,
// and who is in the rooms elsewhere. No method blocks. What comes of it, and from
// other nodes, is told by Set's Order, Settle, Elsewhere, TypingElsewhere and Reload.
type Relay interface {
	// Publish asks for a message's place. It lends e.Body.
	Publish(e Envelope) Verdict

	// Presence tells that a user came into a room on this node, or is called otherwise
	// there, or that the last of its connections there is gone and so is its grace.
	Presence(shard int, room string, user frame.User, here bool)

	// Typing tells that a user types on this node.
	Typing(shard int, room string, user frame.User)

	// Elsewhere returns who is in a room on other nodes. It is asked when the room is
	// made: what Set.Elsewhere told before must be in it. The slice is only read.
	Elsewhere(shard int, room string) []frame.User
}

// Verdict is the answer of a Relay.
type Verdict uint8

const (
	Here    Verdict = iota // this shard orders
	Taken                  // Set.Order brings it with its place, or Set.Settle tells
	Full                   // too many wait: error/busy
	Refused                // nobody can: error/unavailable
)

// Envelope is a message that asks for its place.
type Envelope struct {
	Shard int
	Room  string
	Hash  uint64 // frame.Hash of user and id
	User  frame.User
	Body  *frame.Buf // ID() and Text() are the raw bytes
	Floor uint64     // the newest seq of the room that is known here
	Known uint64     // N of the newest entry that this shard has taken
}

// Ordered is an entry of the bus's log: messages that have their place. An entry
// without messages counts too.
type Ordered struct {
	Epoch, N uint64
	Messages []Placed // in their order
}

// Placed is a message that has its place.
type Placed struct {
	Room       string
	Epoch, Seq uint64
	Milli      int64      // Unix milliseconds
	Hash       uint64     // frame.Hash of user and id
	Body       *frame.Buf // encoded and stamped
	Read       int64      // Unix ns when it reached this node
	Restored   bool       // its place is from before the entry's epoch: the bus had lost it
}

// Record is one message for the journal.
type Record struct {
	Shard      int // for the Notice
	Room       string
	Epoch, Seq uint64
	Milli      int64  // Unix milliseconds
	Hash       uint64 // frame.Hash of user and id
	User, Name string
	Body       *frame.Buf // ID() and Text() are the raw bytes
	Restored   bool       // came after its place in the order had passed: History only, once a Hash and room
}

// Notice says that everything of Room up to its place (Epoch, Seq) is durable, but for
// Restored messages: each of those is told of by a Notice of its own, with its Hash and
// no place, which is said too if the room had the message already.
type Notice struct {
	Shard      int
	Room       string
	Epoch, Seq uint64
	Hash       uint64 // 0: not about a Restored message
}

// Pos is a place in a room's order; places compare by Epoch, then Seq.
type Pos struct{ Epoch, Seq uint64 }

// above tells whether p comes after q.
func (p Pos) above(q Pos) bool { return p.Epoch > q.Epoch || p.Epoch == q.Epoch && p.Seq > q.Seq }

func later(p, q Pos) Pos {
	if q.above(p) {
		return q
	}
	return p
}

// Place is a place in the log of the cluster's bus: the entry N of a partition, which
// is a shard's index. Entries of a partition compare by Epoch, then N.
type Place struct {
	Partition int
	Epoch, N  uint64
}

// ReplayKind is what a Request asks for.
type ReplayKind uint8

const (
	Load  ReplayKind = iota // all that a cold room needs
	Older                   // a page before a seq
)

// Request is a question to History.
type Request struct {
	Kind     ReplayKind
	Shard    int
	Room     string
	Before   uint64 // Older: only messages below this seq
	Limit    int    // Older: at most so many
	MaxBytes int    // Older: of payloads in all, but at least one message
	Token    any    // Older: comes back in the Answer
}

// Answer is History's answer. The receiver owns a reference to each message.
type Answer struct {
	Request
	Err      error
	Messages []*frame.Buf // stamped, oldest first; Load: all, or more than a page of the protocol
	Epochs   []uint64     // of each message
	Last     Pos          // Load: the newest stored
	More     bool         // older ones are stored
	IDs      []Seen       // Load: the dedupe window, oldest first
}

func (a *Answer) release() {
	for _, b := range a.Messages {
		b.Release()
	}
}

// Seen is a message that the dedupe window remembers.
type Seen struct {
	Hash  uint64
	Seq   uint64
	Milli int64
}
