package bus

import "testing"

// Rooms tell their members of which epoch they are, and know it by entries only: a node
// that takes traffic holds one of the open epoch, also where nobody has spoken yet.
func TestRedis_EveryEpochHasAnEntry(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 8)
	told := func() (least uint64) {
		for i, n := range nodes {
			for p := range n.partitions {
				if at := n.Place(p).Epoch; i == 0 && p == 0 || at < least {
					least = at
				}
			}
		}
		return least
	}
	first := told()
	if first == 0 {
		t.Fatalf("a node is ready and has no entry of a partition")
	}
	s.kill()
	s.start()
	eventually(t, "all partitions have an entry of a later epoch", func() bool { return told() > first })
}
