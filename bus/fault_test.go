package bus

import (
	"nebula/frame"
	"strconv"
	"testing"
	"time"
)

var durable = []string{"--appendonly", "yes", "--appendfsync", "always"}

func TestRedis_CutConnections(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 2)
	var a acks
	talk := chat(t, nodes, []string{"room0", "room1"}, "m", 60, &a)
	for range 5 {
		time.Sleep(60 * time.Millisecond)
		s.must("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		s.must("CLIENT", "KILL", "TYPE", "pubsub")
	}
	talk.Wait()
	agree(t, nodes, &a)
	gapless(t, nodes[0])
}

func TestRedis_PausedBus(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 2)
	var a acks
	talk := chat(t, nodes, []string{"room0", "room1"}, "m", 60, &a)
	time.Sleep(50 * time.Millisecond)
	s.must("CLIENT", "PAUSE", "1500")
	talk.Wait()
	agree(t, nodes, &a)
	gapless(t, nodes[0])
}

func TestRedis_StoppedBus(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 2)
	var a acks
	talk := chat(t, nodes, []string{"room0", "room1"}, "m", 60, &a)
	time.Sleep(50 * time.Millisecond)
	s.stop()
	for _, n := range nodes {
		eventually(t, "messages are refused at once", func() bool {
			return n.Publish(0, &Draft{Room: "room0", Hash: 1, ID: []byte("stopped")}) == Offline
		})
		eventually(t, "the node is not ready", func() bool { return n.Ready() != nil })
	}
	s.cont()
	talk.Wait()
	for _, n := range nodes {
		n.ready(t)
	}
	agree(t, nodes, &a)
	gapless(t, nodes[0])
}

func TestRedis_RestartKeepsAll(t *testing.T) {
	t.Parallel()
	s := newServer(t, durable...)
	nodes := newCluster(t, s.url(), 3, 2)
	var a acks
	talk := chat(t, nodes, []string{"room0", "room1"}, "m", 60, &a)
	for range 2 {
		time.Sleep(100 * time.Millisecond)
		s.kill()
		time.Sleep(100 * time.Millisecond)
		s.start()
	}
	talk.Wait()
	agree(t, nodes, &a)
	onePast(t, nodes)
}

func TestRedis_RestartEmpty(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 2)
	var a acks
	chat(t, nodes, []string{"room0", "room1"}, "before", 40, &a).Wait()
	agree(t, nodes, &a)
	talk := chat(t, nodes, []string{"room0", "room1"}, "after", 40, &a)
	s.kill()
	s.start()
	talk.Wait()
	agree(t, nodes, &a)
	for _, n := range nodes {
		gapless(t, n)
	}
	// All is in the log again: who comes later needs no copy of a database.
	late := newNode(t, s.url(), "late", 2)
	late.ready(t)
	agree(t, append(nodes, late), &a)
}

// A node is ahead of the others when the bus loses all: what only it has comes back.
func TestRedis_RestartEmptyWithOneNodeAhead(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 1)
	var a acks
	chat(t, nodes, []string{"room0"}, "both", 10, &a).Wait()
	agree(t, nodes, &a)
	for _, n := range nodes[1:] {
		n.setRefuse(true)
	}
	chat(t, nodes[:1], []string{"room0"}, "ahead", 10, &a).Wait()
	s.kill()
	s.start()
	nodes[1].setRefuse(false)
	nodes[2].setRefuse(false)
	chat(t, nodes, []string{"room0"}, "after", 10, &a).Wait()
	agree(t, nodes, &a)
	onePast(t, nodes)
}

func TestRedis_RolledBack(t *testing.T) {
	t.Parallel()
	s := newServer(t, durable...)
	nodes := newCluster(t, s.url(), 3, 2)
	var a acks
	rooms := []string{"room0", "room1"}
	chat(t, nodes, rooms, "kept", 20, &a).Wait()
	saved := s.saved()
	chat(t, nodes, rooms, "lost", 20, &a).Wait()
	talk := chat(t, nodes, rooms, "during", 20, &a)
	s.kill()
	s.rollBack(saved)
	s.start()
	talk.Wait()
	agree(t, nodes, &a)
	onePast(t, nodes)
}

// A bus that nobody writes to is rolled back: heads tell.
func TestRedis_RolledBackWhileIdle(t *testing.T) {
	t.Parallel()
	s := newServer(t, durable...)
	n := newNode(t, s.url(), "n", 1)
	n.hush(t)
	saved := s.saved()
	var a acks
	chat(t, []*node{n}, []string{"room0"}, "m", 10, &a).Wait()
	s.kill()
	s.rollBack(saved)
	s.start()
	eventually(t, "the log has all again", func() bool {
		all := strconv.FormatUint(n.Place(0).N, 10) // the new epoch's first entry comes, too
		return s.must("HGET", "nebula:{0}:meta", "n") == all && s.must("XLEN", "nebula:{0}:log") == all
	})
}

// The bus loses what one node alone has, the others go on without that node, and it
// comes back: nothing acked is lost, and all hold the same.
func TestRedis_ForkedNodeRejoins(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 3, 1)
	var a acks
	chat(t, nodes, []string{"room0"}, "both", 10, &a).Wait()
	agree(t, nodes, &a)
	for _, n := range nodes[1:] {
		n.setRefuse(true)
	}
	chat(t, nodes[:1], []string{"room0"}, "alone", 10, &a).Wait()
	nodes[0].die(t)
	s.kill()
	for _, n := range nodes[1:] {
		n.setRefuse(false)
	}
	s.start()
	// A client that had no ack from the dead node sends its last message again.
	if _, ok := nodes[1].say("room0", "alone-n0-9", time.Now().Add(limit)); !ok {
		t.Fatal("the message was not acked")
	}
	chat(t, nodes[1:], []string{"room0"}, "without", 10, &a).Wait()
	nodes[0].up(t)
	nodes[0].ready(t)
	chat(t, nodes, []string{"room0"}, "after", 10, &a).Wait()
	agree(t, nodes, &a)
	if forked, stale, _ := nodes[0].counts(); forked != 1 || stale != 0 {
		t.Errorf("%d forks, %d times stale, want one fork", forked, stale)
	}
}

func TestRedis_TrimmedLogNeedsACopy(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 1)
	late := newNode(t, s.url(), "late", 1)
	late.ready(t)
	var a acks
	chat(t, nodes, []string{"room0"}, "m", 10, &a).Wait()
	late.down(t)
	chat(t, nodes, []string{"room0"}, "missed", 30, &a).Wait()
	s.must("XTRIM", "nebula:{0}:log", "MAXLEN", "5")
	late.up(t)
	eventually(t, "the node is stale", func() bool { _, stale, _ := late.counts(); return stale == 1 })
	before := late.Place(0)
	chat(t, nodes, []string{"room0"}, "meanwhile", 3, &a).Wait()
	if late.Ready() == nil {
		t.Error("ready while stale")
	}
	if got := late.Place(0); got != before {
		t.Errorf("it went on from %v to %v", before, got)
	}
	late.copyFrom(nodes[0].memory)
	late.Resume(0)
	late.ready(t)
	chat(t, append(nodes, late), []string{"room0"}, "after", 3, &a).Wait()
	agree(t, append(nodes, late), &a)
}

// An entry that no subscriber hears of is found by its number.
func TestRedis_DroppedMessageIsFilledIn(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 1)
	for _, n := range nodes {
		n.hush(t)
	}
	var a acks
	chat(t, nodes, []string{"room0"}, "m", 5, &a).Wait()
	agree(t, nodes, &a)
	unheard(t, s, nodes[0].Place(0), "last")
	for _, n := range nodes { // it is the last one
		eventually(t, "it is found", func() bool {
			_, there := n.where("room0", frame.Hash("user", []byte("last")))
			return there
		})
	}
	unheard(t, s, nodes[0].Place(0), "middle")
	chat(t, nodes, []string{"room0"}, "more", 5, &a).Wait() // it is followed by others
	agree(t, nodes, &a)
	gapless(t, nodes[0])
	if _, there := nodes[0].where("room0", frame.Hash("user", []byte("middle"))); !there {
		t.Error("it was passed over")
	}
}

// unheard adds an entry to the log as the script does, but for its publication.
func unheard(t *testing.T, s *server, last Pos, id string) {
	t.Helper()
	// Probes may come between: try until the number is the next one.
	eventually(t, "the entry is in the log", func() bool {
		const add = `local n = tonumber(redis.call('HGET', KEYS[1], 'n'))
if n ~= tonumber(ARGV[1]) - 1 then return n end
redis.call('XADD', KEYS[2], ARGV[2] .. '-' .. ARGV[1], 'e', ARGV[3])
redis.call('HSET', KEYS[1], 'n', ARGV[1])
redis.call('HSET', KEYS[3], 'room0', ARGV[4])
redis.call('HSET', KEYS[4], 'room0', ARGV[4])
return 0`
		seq, _ := strconv.ParseUint(s.must("HGET", "nebula:{0}:seq:0", "room0"), 10, 64)
		other, _ := strconv.ParseUint(s.must("HGET", "nebula:{0}:seq:1", "room0"), 10, 64)
		seq = max(seq, other) + 1
		e := Entry{Pos: Pos{Epoch: last.Epoch, N: last.N + 1}, Milli: 1, Node: "unheard", Messages: []Message{{
			Room: "room0", Epoch: last.Epoch, Seq: seq, Hash: frame.Hash("user", []byte(id)), User: "user", ID: id, Text: "x",
		}}}
		got := s.must("EVAL", add, "4", "nebula:{0}:meta", "nebula:{0}:log", "nebula:{0}:seq:0", "nebula:{0}:seq:1",
			strconv.FormatUint(e.N, 10), strconv.FormatUint(e.Epoch, 10), string(appendEntry(nil, &e)), strconv.FormatUint(seq, 10))
		n, _ := strconv.ParseUint(got, 10, 64)
		last.N = n
		return n == 0
	})
}

func TestRedis_RefusedEntryIsOfferedAgain(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	nodes := newCluster(t, s.url(), 2, 1)
	var a acks
	nodes[1].setRefuse(true)
	chat(t, nodes[:1], []string{"room0"}, "m", 50, &a).Wait()
	eventually(t, "the entry was offered often", func() bool { _, _, refused := nodes[1].counts(); return refused > 3 })
	if got := len(nodes[1].history()); got != 0 {
		t.Errorf("got %d rooms, want none", got)
	}
	nodes[1].setRefuse(false)
	agree(t, nodes, &a)
}
