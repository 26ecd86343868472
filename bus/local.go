package bus

import "nebula/shard"

// Local is the bus of one machine: every message is ordered where it is.
type Local struct{}

// Publish implements shard.Relay.
func (Local) Publish(shard.Envelope) shard.Verdict { return shard.Here }

var _ shard.Relay = Local{}
