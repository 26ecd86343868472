package bus

import (
	"nebula/frame"
	"nebula/shard"
)

// Local is the bus of one machine: every message is ordered where it is, and nobody is
// elsewhere.
type Local struct{}

// Publish implements shard.Relay.
func (Local) Publish(shard.Envelope) shard.Verdict { return shard.Here }

// Presence implements shard.Relay.
func (Local) Presence(int, string, frame.User, bool) {}

// Typing implements shard.Relay.
func (Local) Typing(int, string, frame.User) {}

// Elsewhere implements shard.Relay.
func (Local) Elsewhere(int, string) []frame.User { return nil }

var _ shard.Relay = Local{}
