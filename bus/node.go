package bus

import "context"

// Rooms is the part of the node that owns the rooms. Its methods are called on the
// bus's goroutines; none may block.
type Rooms interface {
	// Apply takes the next entry of its partition: store its messages, and in the same
	// transaction e.Pos as the partition's place; hand them to the rooms' members. The
	// entries of a partition come in order, without holes, from one goroutine at a time,
	// those of this node too. An entry may hold no message; its place counts all the same.
	// false: not now (the database's queue is full); the entry is offered again. e is
	// valid until Apply returns.
	Apply(e *Entry) bool

	// Answer tells what became of messages that Publish took and that will not come by
	// Apply, or not for this reason. Valid until Answer returns.
	Answer(partition int, results []Result)

	// Forked says that what the node applied after the place common was never part of
	// the log that the cluster goes on with. Its messages are in the log by now as Restored
	// ones, and come with what Apply goes on with after common, whose places go back. Where
	// others gave one of them another place, this node must end up with that one only: at
	// the latest when the Restored one comes, which tells that both are there. Whoever
	// waits for an ack of such a message is told that nobody knows; the rooms of the
	// partition are loaded anew, and their members made to resume. Apply may be called as
	// soon as Forked returned.
	Forked(partition int, common Pos)

	// Stale says that the log reaches back to entry first only, and the node has not what
	// comes before: it needs a copy of a peer's database. Nothing is applied until Resume.
	Stale(partition int, first uint64)

	// Presence tells who came to be, or is no longer, on another node. It changes nothing
	// about who is on this one. Valid until Presence returns.
	Presence(partition int, changes []Change)

	// Typing tells that somebody types on another node.
	Typing(partition int, room, user, name string)
}

// Ledger is the part of the node that stores messages. It is asked when the bus
// starts, or has lost something; any goroutine, several at once for different
// partitions.
type Ledger interface {
	// Place returns the place of the newest entry of the partition that is stored, all
	// before it being stored too; zero: none.
	Place(partition int) Pos

	// Newest returns an epoch that messages of the partition may have which came by no
	// entry, as those do that were stored while the node was no part of a cluster; 0: none.
	// The log's epoch is raised above it, so that what comes now sorts behind them.
	Newest(partition int) uint64

	// Stored returns the partition's stored messages of all entries above since, oldest
	// first. since is after, or a higher one if that would be more than about maxBytes.
	// It keeps to ctx's deadline.
	Stored(ctx context.Context, partition int, after uint64, maxBytes int) (kept []Kept, since uint64, err error)
}

// Kept is a stored message and the entry that brought it. Entry.Epoch is above the
// message's own if that was Restored, else it is the same.
type Kept struct {
	Entry Pos
	Message
}

// Draft is a message that asks for its place.
type Draft struct {
	Room       string
	Hash       uint64 // frame.Hash of user and id
	User, Name string
	ID, Text   []byte // copied by Publish
	Floor      uint64 // the newest seq of the room that is known here: the place will be above it
	Known      uint64 // N of the partition's newest entry that Floor, and the room's dedupe window, take account of
}

// Verdict is Publish's answer.
type Verdict uint8

const (
	Taken   Verdict = iota // Apply or Answer tells what becomes of it
	Busy                   // too many wait: error/busy
	Offline                // the bus cannot be reached: error/unavailable
)

// Result is what became of a Draft besides an entry.
type Result struct {
	Room string
	Hash uint64

	// Known: it has been in the log for a while, with this place and time (Unix ms);
	// ack it once that is stored. Else nobody knows (error/unavailable): the client sends
	// the same id again, and it may yet come by Apply.
	Known bool
	Seq   uint64
	Milli int64
}

// Change says that a user is, or is no longer, in a room on any other node.
type Change struct {
	Room, User, Name string
	Here             bool
}
