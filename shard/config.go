package shard

import (
	"math"
	"time"
)

// Config is what every shard of a Set needs. Zero values mean the default.
type Config struct {
	Shards     int            // a power of two; default 64
	Epoch      uint64         // of this start
	Epochs     []uint64       // all that were ever opened here, rising, Epoch the last; nil: Epoch only
	Places     []Pos          // in a cluster: epoch and N of the newest entry stored, by shard; nil: there is none
	Now        func() int64   // Unix ns, steady; needed
	Wall       func() int64   // Unix ms, the time of day that messages bear; nil: Now's
	Busy       func() float64 // share of the time that the loops work; nil: 0
	Grace      time.Duration  // until a lost connection's user has left
	SendBytes  int            // an answer has at most half of it; default 1 MiB
	Mailbox    int            // commands that may wait in a shard; default 8192
	KeepRooms  bool           // rooms live in memory only: a room is kept when its last member leaves
	EmptyRooms int            // how many are kept like that, in all shards; default 4096
}

// joinRoom times Mailbox is how many joins may wait in a shard: they are never
// refused but when a client floods or the shard stands still.
const joinRoom = 8

func (c Config) withDefaults() Config {
	if c.Shards == 0 {
		c.Shards = 64
	}
	if c.Mailbox == 0 {
		c.Mailbox = 8192
	}
	if c.SendBytes == 0 {
		c.SendBytes = 1 << 20
	}
	if c.Epochs == nil {
		c.Epochs = []uint64{c.Epoch}
	}
	if c.EmptyRooms == 0 {
		c.EmptyRooms = 4096
	}
	if c.Wall == nil {
		c.Wall = func() int64 { return c.Now() / 1e6 }
	}
	return c
}

// mayWait is how many commands may be waiting for one more of kind to wait too.
func (c *Config) mayWait(kind Kind) int {
	switch kind {
	case Say, Users, Page, Typing:
		return c.Mailbox
	case Join:
		return joinRoom * c.Mailbox
	}
	return math.MaxInt
}
