package bus

import (
	"context"
	"nebula/frame"
	"strconv"
	"testing"
	"time"
)

func TestRedis_OneOrderOnAllNodes(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 4)
	var a acks
	chat(t, nodes, []string{"room0", "room1", "busy1", "room2", "room3"}, "m", 40, &a).Wait()
	agree(t, nodes, &a)
	onePast(t, nodes)
}

func TestRedis_ConnectionKeepsItsOrder(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newCluster(t, s.url(), 1, 1, endure)[0]
	const count = 1000
	for i := range count {
		id := strconv.Itoa(i)
		floor, known := n.known(0, "room0")
		d := Draft{Room: "room0", Hash: frame.Hash("user", []byte(id)), User: "user", ID: []byte(id), Text: []byte("x"), Floor: floor, Known: known}
		eventually(t, "there is room in the queue", func() bool { return n.Publish(0, &d) == Taken })
	}
	eventually(t, "all come back", func() bool { return len(n.history()["room0"]) == count })
	for i, l := range n.history()["room0"] {
		if l.id != strconv.Itoa(i) || l.seq != uint64(i+1) {
			t.Fatalf("message %d has id %s and seq %d", i, l.id, l.seq)
		}
	}
}

func TestRedis_SameMessageTwiceHasOnePlace(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 1, endure)
	hash := frame.Hash("user", []byte("id"))
	d := Draft{Room: "room0", Hash: hash, User: "user", ID: []byte("id"), Text: []byte("x")}
	// Neither knows of the other's, as if the sender's node died before the ack.
	for _, n := range nodes {
		_, d.Known = n.known(0, "room0")
		eventually(t, "it is taken", func() bool { return n.Publish(0, &d) == Taken })
	}
	for _, n := range nodes {
		eventually(t, "it is stored", func() bool {
			_, there := n.where("room0", hash)
			return there
		})
	}
	var result Result
	eventually(t, "one is told that it was there", func() bool {
		for _, n := range nodes {
			if r, ok := n.answer("room0", hash); ok {
				result = r
				return true
			}
		}
		return false
	})
	if !result.Known || result.Seq != 1 || result.Milli == 0 {
		t.Errorf("got %+v, want it to be known as seq 1", result)
	}
	agree(t, nodes, &acks{})
}

func TestRedis_SameMessageTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newCluster(t, s.url(), 1, 1, endure)[0]
	s.stop() // what is published gathers
	for i := range 20 {
		id := strconv.Itoa(i / 2)
		n.Publish(0, &Draft{Room: "room0", Hash: frame.Hash("user", []byte(id)), User: "user", ID: []byte(id), Text: []byte("x"), Known: n.Place(0).N})
	}
	s.cont()
	eventually(t, "all come back", func() bool { return len(n.history()["room0"]) == 10 })
	gapless(t, n)
}

func TestRedis_DedupeWindowTurnsAndKeepsItsPromise(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newCluster(t, s.url(), 1, 1)[0]
	var a acks
	i := 0
	eventually(t, "the window turns twice", func() bool {
		chat(t, []*node{n}, []string{"room0"}, strconv.Itoa(i), 1, &a).Wait()
		i++
		time.Sleep(20 * time.Millisecond)
		base := s.must("HGET", "nebula:{0}:meta", "base")
		return base != "" && base != "0"
	})
	gapless(t, n)
	// Who knows nothing of what the window forgot is refused.
	hash := frame.Hash("user", []byte("late"))
	d := Draft{Room: "room0", Hash: hash, User: "user", ID: []byte("late"), Text: []byte("x"), Known: 0}
	eventually(t, "it is taken", func() bool { return n.Publish(0, &d) == Taken })
	eventually(t, "it is answered", func() bool {
		r, ok := n.answer("room0", hash)
		return ok && !r.Known
	})
	if _, there := n.where("room0", hash); there {
		t.Error("it was taken")
	}
}

func TestRedis_NodeThatComesLaterCatchesUp(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 2)
	var a acks
	chat(t, nodes, []string{"room0", "room1"}, "m", 300, &a).Wait()
	late := newNode(t, s.url(), "late", 2)
	late.ready(t)
	agree(t, append(nodes, late), &a)
	if got := late.Stats().Refilled; got == 0 {
		t.Error("nothing was read from the log")
	}
}

func TestRedis_OfflineWithoutABus(t *testing.T) {
	t.Parallel()
	n := newNode(t, "redis://127.0.0.1:"+strconv.Itoa(freePort(t)), "n", 2)
	if got := n.Publish(0, &Draft{Room: "room0", Hash: 1}); got != Offline {
		t.Errorf("got %v, want Offline", got)
	}
	if n.Ready() == nil {
		t.Error("ready without a bus")
	}
}

func TestRedis_WaitsForABusThatComesLater(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.kill()
	n := newNode(t, s.url(), "n", 2)
	time.Sleep(50 * time.Millisecond)
	s.start()
	n.ready(t)
}

func TestRedis_CloseKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newCluster(t, s.url(), 1, 8)[0]
	s.stop()
	defer s.cont()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	if err := n.Close(ctx); err == nil {
		t.Error("got nil while the bus hangs, want an error")
	}
	n.running.Wait()
}

func TestNewRedis_RefusesFaults(t *testing.T) {
	m := newMemory(t, "n")
	for _, cfg := range []Config{
		{URL: "redis://h", Partitions: 1},
		{URL: "redis://h", Node: "n"},
		{URL: "h", Node: "n", Partitions: 1},
		{URL: "redis://h", Node: "n", Partitions: 1, LogBytes: -1},
	} {
		if _, err := NewRedis(cfg, m, m); err == nil {
			t.Errorf("%+v: got nil, want an error", cfg)
		}
	}
}

// What is taken is answered, even if the entry does not come back for long.
func TestRedis_MessageThatDoesNotComeBackIsAnswered(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newCluster(t, s.url(), 1, 1, endure, func(p *pace) { p.unseen = time.Second })[0]
	n.setRefuse(true)
	hash := frame.Hash("user", []byte("id"))
	d := Draft{Room: "room0", Hash: hash, User: "user", ID: []byte("id"), Text: []byte("x"), Known: n.Place(0).N}
	eventually(t, "it is taken", func() bool { return n.Publish(0, &d) == Taken })
	eventually(t, "it is answered", func() bool {
		r, ok := n.answer("room0", hash)
		return ok && !r.Known
	})
	n.setRefuse(false)
	eventually(t, "it comes nevertheless", func() bool {
		_, there := n.where("room0", hash)
		return there
	})
}

func TestRedis_BusyWhenNothingComesBack(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	n := newCluster(t, s.url(), 1, 1, endure)[0]
	n.setRefuse(true)
	known := n.Place(0).N
	for i, busy := 0, false; !busy; i++ {
		if i > 2*(unseenMost+queueBatches)*batchMessages {
			t.Fatalf("%d messages were taken", i)
		}
		id := strconv.Itoa(i)
		busy = n.Publish(0, &Draft{Room: "room0", Hash: frame.Hash("user", []byte(id)), User: "user", ID: []byte(id), Known: known}) == Busy
	}
	n.setRefuse(false)
	var a acks
	chat(t, []*node{n}, []string{"room0"}, "m", 3, &a).Wait()
	gapless(t, n)
}

// Partitions in which nothing happens cost their heads' comparison only.
func TestRedis_IdlePartitionsAreCheap(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const partitions = 64
	n := newCluster(t, s.url(), 1, partitions)[0]
	n.hush(t) // else a slow machine sees more of its own entries
	rounds := func() uint64 { return s.calls("hmget") / partitions }
	before, reads, batches := rounds(), s.calls("xrange"), s.calls("evalsha")
	eventually(t, "heads were compared ten times", func() bool { return rounds() >= before+10 })
	if got := s.calls("xrange") - reads; got > partitions/4 {
		t.Errorf("the log was read %d times", got)
	}
	if got := s.calls("evalsha") - batches; got > partitions/4 {
		t.Errorf("%d batches were sent", got)
	}
}
