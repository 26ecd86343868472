package verdict

import "unique"

// Message is all that is said of one message, its place apart.
type Message struct {
	User, ID, Text string
	Time           uint64
}

// Said is a Message at the price of a pointer; two are equal if the messages are.
type Said = unique.Handle[Message]

// Say returns m as a Said.
func Say(m Message) Said { return unique.Make(m) }

// Placed is a message where it stands.
type Placed struct {
	Seq  uint64
	Said Said
}

// Key names a message for ever, however often it is sent.
type Key struct{ Room, User, ID string }

// Sent is what a client gave away under a Key.
type Sent struct {
	Text    string
	Order   int  // among the user's messages to the room, by first sending
	Refused bool // answered with an error at least once: later ones may have overtaken it
}

// Ack is an answer that a client got.
type Ack struct {
	Key
	Start     int    // of the server
	Epoch     string // of the connection that it came on
	Seq, Time uint64
}

// Cursor is what a client resumes with.
type Cursor struct {
	Epoch string
	Seq   uint64
}

// Kind is what an Event of a Tape is.
type Kind uint8

// What a client is told of a room's messages.
const (
	Joined Kind = iota // Resume, Newest, Complete
	Live               // one or more message events in a row
	Page               // Before, More: an answer to history
)

// Event is something that a client was told.
type Event struct {
	Kind     Kind
	Start    int    // number of the server's start
	Epoch    string // of the connection's joined
	Resume   *Cursor
	Unasked  bool // Joined: the server told it by itself, because what it had told is not what the room is
	Newest   uint64
	Complete bool
	Before   uint64 // 0: the newest
	More     bool
	Messages []Placed
}

// Tape is everything that one client was told of one room, over all its
// connections, until nothing more was to come.
type Tape struct {
	Client string
	Room   string
	Events []Event
}

// Record is all that is known of a run.
type Record struct {
	Sent    map[Key]Sent
	Acks    []Ack
	Tapes   []Tape
	Shared  bool                // several starts, at once or not, may be of one epoch
	Drained map[int]bool        // starts of the server that ended with a clean stop
	History map[string][]Placed // by room, as the last server told it, oldest first
}
