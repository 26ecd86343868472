package shard

import "nebula/frame"

// Kind is what a Command asks for.
type Kind uint8

const (
	Join      Kind = iota // answers joined; HasPos, Epoch and After resume
	Leave                 // answers left
	Gone                  // the connection ended: grace applies, no answer
	Say                   // Body, Hash and Read
	Users                 // Offset, Limit
	Page                  // Before, Limit
	Typing                //
	committed             // name, and Epoch and After: everything up to there; or Hash: that Restored message
	replayed              // answer
	entry                 // Epoch and After: what is ordered next is of the entry with that N
	ordered               // see orderedCommand
	settled               // name and Hash; HasPos: it has the place After, since Before
	elsewhere             // Member is on another node, not one of ours; HasPos: here
	typing                // likewise
	reload                // After: N of the entry after which the log goes on
)

// Command is one thing for a shard to do.
type Command struct {
	Kind   Kind
	HasPos bool
	Member *Member
	Body   *frame.Buf // moves to the shard when the command is taken
	Hash   uint64     // frame.Hash of user and id
	Read   int64      // Unix ns when the message was read

	Epoch, After, Before uint64
	Offset, Limit        int

	name   string
	answer *Answer
}
