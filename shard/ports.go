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

// Relay decides who gives a message its place in the room's order. Publish never
// blocks and lends e.Body.
type Relay interface{ Publish(e Envelope) Verdict }

// Verdict is the answer of a Relay.
type Verdict uint8

const (
	Here    Verdict = iota // this shard orders
	Refused                // nobody can: error/unavailable
)

// Envelope is a message that asks for its place.
type Envelope struct {
	Room string
	Hash uint64
	Body *frame.Buf
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
