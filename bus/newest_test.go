package bus

import (
	"testing"
	"time"
)

// A node that was used alone, by a clock that is ahead, holds messages of an epoch above
// the log's: whatever it is told the place of from now on is of a later one.
func TestRedis_EpochAboveThatOfTheDatabase(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 2)
	rooms := []string{"room0", "room1"}
	var a acks
	chat(t, nodes, rooms, "m", 5, &a).Wait()
	agree(t, nodes, &a)
	n := newNode(t, s.url(), "alone", 2)
	n.down(t)
	alone := uint64(time.Now().Add(time.Hour).UnixMilli())
	n.newest = alone
	n.up(t)
	n.ready(t)
	nodes = append(nodes, n)
	var later acks
	chat(t, nodes[2:], rooms, "later", 5, &later).Wait()
	for room, said := range later.all {
		for id, pos := range said {
			if pos.Epoch <= alone {
				t.Errorf("message %s of room %s is of epoch %d, want one above %d", id, room, pos.Epoch, alone)
			}
		}
	}
	agree(t, nodes, &a)
	agree(t, nodes, &later)
	onePast(t, nodes)
}
