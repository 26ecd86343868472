package bus

// Pos is a place in a partition's log. N counts a partition's entries and never
// starts again; Epoch names the run of the bus in which the entry was made. Places
// compare by N, unless the bus lost data in between.
type Pos struct{ Epoch, N uint64 }

// Entry is one entry of a partition's log: the messages that one script call put in
// order. Its strings alias the bytes that it was decoded from: clone what is kept for
// longer than the message.
type Entry struct {
	Partition int
	Pos
	Milli    int64  // when it was put in order: Unix ms by the bus's clock
	Node     string // whose batch it was; empty: put back after the bus lost it
	Sent     int64  // when it was sent, Unix ns by that node's clock
	Messages []Message
}

// Message is one chat message of an Entry, which has its place in its room's order.
type Message struct {
	Room       string
	Epoch, Seq uint64 // Epoch is the entry's, unless Restored
	Milli      int64  // its time, Unix ms
	Hash       uint64 // frame.Hash of user and id
	User, Name string
	ID, Text   string

	// Restored: it was given its place in an earlier epoch, and the log had lost it. It
	// is stored at that place, unless the room has a message of that user and id already,
	// and comes too late to be delivered in order.
	Restored bool
}
