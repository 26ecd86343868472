package persist

import (
	"context"
	"fmt"
	"nebula/shard"
	"slices"

	"zombiezen.com/go/sqlite"
)

// StoredMessage is a message and the entry of the bus's log that brought it.
type StoredMessage struct {
	Entry                shard.Place
	Room                 string
	Epoch, Seq           uint64
	Milli                int64
	Hash                 uint64
	User, Name, ID, Text string
}

// Stored returns the messages that all stored entries of a partition above since
// brought, by entries, oldest first; within an entry, each room's in their order. since
// is after, or a higher one if those would have more than about maxBytes, or if older
// ones are not wholly there: Config.Retain removes them, and entries from before the
// log went back are left out. Any goroutine; a few at a time, the others wait.
func (s *Store) Stored(ctx context.Context, partition int, after uint64, maxBytes int) (messages []StoredMessage, since uint64, err error) {
	err = s.guests.visit(ctx, s.guests.recalls, func(ctx context.Context, c *sqlite.Conn) error {
		r := recall{ctx: ctx, since: after, left: maxBytes}
		if err := r.prepare(c); err != nil {
			return err
		}
		if err := r.read(partition); err != nil {
			return err
		}
		slices.Reverse(r.messages)
		messages, since = r.messages, r.since
		return nil
	})
	if err != nil {
		return nil, after, fmt.Errorf("persist: read entries again: %w", err)
	}
	return messages, since, nil
}
