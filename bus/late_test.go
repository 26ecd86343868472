package bus

import (
	"nebula/frame"
	"testing"
)

// A message that came as a Restored one is in no window: who does not know it yet, and
// sends it again, is refused.
func TestRedis_LateAfterARestoredMessage(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 1, endure) // the window does not turn
	before, hash := nodes[0].Place(0), frame.Hash("user", []byte("id"))
	forked := &receiver{core: nodes[1].core, p: nodes[1].Redis.partitions[0], lane: newLane()}
	restored := []Kept{{Message: Message{Room: "room0", Epoch: before.Epoch - 1, Seq: 7, Hash: hash, User: "user", ID: "id", Text: "x"}}}
	if err := forked.restoreAll(restored, 0, before.Epoch); err != nil {
		t.Fatal(err)
	}
	d := Draft{Room: "room0", Hash: hash, User: "user", ID: []byte("id"), Text: []byte("x"), Known: before.N}
	eventually(t, "it is taken", func() bool { return nodes[0].Publish(0, &d) == Taken })
	eventually(t, "it is answered, and not with a place", func() bool {
		r, ok := nodes[0].answer("room0", hash)
		return ok && !r.Known
	})
	var a acks
	a.add("room0", "id", Pos{})
	chat(t, nodes, []string{"room0"}, "m", 3, &a).Wait() // who knows it goes on
	agree(t, nodes, &a)
	for _, n := range nodes {
		if got, want := n.history()["room0"][0], (line{before.Epoch - 1, 7, "id", "x"}); got != want {
			t.Errorf("node %s has %v, want %v", n.name, got, want)
		}
	}
}
