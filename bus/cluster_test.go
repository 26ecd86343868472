package bus

import (
	"context"
	"fmt"
	"log/slog"
	"nebula/frame"
	"os"
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"
)

// node is one node of a test's cluster. Its memory outlives its bus.
type node struct {
	*memory
	*Redis
	url        string
	partitions int
	pace       pace
}

// quick makes a test's bus notice and retry in fractions of a second. It waits for
// longer where a busy machine may take that long.
func quick() pace {
	return pace{
		call: 3 * time.Second, wait: 3 * time.Second, unseen: 4 * time.Second, poll: 100 * time.Millisecond, window: 500 * time.Millisecond,
		patience: 5 * time.Second, beat: 100 * time.Millisecond, dead: 2 * time.Second,
		progress: 2 * time.Second, flush: 5 * time.Millisecond,
		retry: backoff{first: 5 * time.Millisecond, last: 50 * time.Millisecond},
	}
}

// endure is a change of pace: nothing is given up. It is for tests in which nobody sends
// again what is answered as unknown.
func endure(p *pace) { p.call, p.wait, p.unseen, p.window = limit, limit, limit, limit }

// newNode starts a node, whose pace is quick but for the changes.
func newNode(t *testing.T, url, name string, partitions int, changes ...func(*pace)) *node {
	t.Helper()
	n := &node{memory: newMemory(t, name), url: url, partitions: partitions, pace: quick()}
	for _, change := range changes {
		change(&n.pace)
	}
	n.up(t)
	t.Cleanup(func() { n.down(t) })
	return n
}

// up starts the node's bus.
func (n *node) up(t *testing.T) {
	t.Helper()
	cfg := Config{URL: n.url, Node: n.name, Advertise: "127.0.0.1:1", Partitions: n.partitions, pace: n.pace}
	if os.Getenv("BUS_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", n.name)
	}
	bus, err := NewRedis(cfg, n.memory, n.memory)
	if err != nil {
		t.Fatal(err)
	}
	n.Redis = bus
	bus.Start()
}

// down closes the node's bus, as SIGTERM would.
func (n *node) down(t *testing.T) {
	t.Helper()
	if n.Redis == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	err := n.Close(ctx)
	if ctx.Err() != nil {
		t.Errorf("node %s: %v", n.name, err)
	}
	n.Redis = nil
}

// die ends the node's bus without a word to the others, as SIGKILL would.
func (n *node) die(t *testing.T) {
	t.Helper()
	n.directory.stop()
	n.stop()
	n.running.Wait()
	n.hangUp()
	n.Redis = nil
}

func (n *node) ready(t *testing.T) {
	t.Helper()
	var err error
	defer func() {
		if t.Failed() {
			t.Logf("node %s: %v", n.name, err)
		}
	}()
	eventually(t, "node "+n.name+" is ready", func() bool {
		err = n.Ready()
		return err == nil
	})
}

// hush starts the node's bus again, which from then on makes one entry of its own, to
// show that it is ready, and then none: nothing but heads tells what is amiss.
func (n *node) hush(t *testing.T) {
	t.Helper()
	n.down(t)
	n.pace.progress = time.Hour
	n.up(t)
	n.ready(t)
}

func newCluster(t *testing.T, url string, nodes, partitions int, changes ...func(*pace)) []*node {
	t.Helper()
	all := make([]*node, nodes)
	for i := range all {
		all[i] = newNode(t, url, "n"+strconv.Itoa(i), partitions, changes...)
	}
	for _, n := range all {
		n.ready(t)
	}
	return all
}

// acks is what the clients of a test were promised.
type acks struct {
	mu  sync.Mutex
	all map[string]map[string]Pos // room -> id -> epoch (0: not told) and seq
}

func (a *acks) add(room, id string, pos Pos) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[string]map[string]Pos{}
	}
	if a.all[room] == nil {
		a.all[room] = map[string]Pos{}
	}
	a.all[room][id] = pos
}

func partitionOf(room string, partitions int) int { return int(room[len(room)-1]-'0') % partitions }

// say publishes a message as a client does: again, until it is acked. False: not
// before the deadline.
func (n *node) say(room, id string, deadline time.Time) (Pos, bool) {
	p, hash := partitionOf(room, n.partitions), frame.Hash("user", []byte(id))
	for time.Now().Before(deadline) {
		if pos, there := n.where(room, hash); there {
			return pos, true
		}
		floor, known := n.known(p, room)
		verdict := n.Publish(p, &Draft{
			Room: room, Hash: hash, User: "user", Name: "User", ID: []byte(id), Text: []byte("text of " + id), Floor: floor, Known: known,
		})
		if verdict != Taken {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		for wait := time.Now().Add(limit); ; time.Sleep(200 * time.Microsecond) {
			if time.Now().After(wait) {
				n.t.Errorf("node %s: message %s in room %s was neither applied nor answered", n.name, id, room)
				break
			}
			if pos, there := n.where(room, hash); there {
				return pos, true
			}
			if r, ok := n.answer(room, hash); ok && !r.Known {
				break
			}
		}
	}
	return Pos{}, false
}

// chat has a client on each node say count messages in each room, and notes the acks.
func chat(t *testing.T, nodes []*node, rooms []string, name string, count int, a *acks) *sync.WaitGroup {
	t.Helper()
	var wg sync.WaitGroup
	deadline := time.Now().Add(2 * limit)
	for _, n := range nodes {
		for _, room := range rooms {
			wg.Go(func() {
				for i := range count {
					id := fmt.Sprintf("%s-%s-%d", name, n.name, i)
					pos, ok := n.say(room, id, deadline)
					if !ok {
						t.Errorf("node %s: message %s in room %s was not acked", n.name, id, room)
						return
					}
					a.add(room, id, pos)
				}
			})
		}
	}
	return &wg
}

// agree waits until all nodes hold the same, and compares it with the acks.
func agree(t *testing.T, nodes []*node, a *acks) {
	t.Helper()
	eventually(t, "all nodes hold the same entries", func() bool {
		for p := range nodes[0].partitions {
			for _, n := range nodes[1:] {
				if n.Place(p) != nodes[0].Place(p) {
					return false
				}
			}
		}
		return true
	})
	want := nodes[0].history()
	for _, n := range nodes[1:] {
		got := n.history()
		for room, lines := range want {
			if !reflect.DeepEqual(got[room], lines) {
				t.Errorf("room %s: node %s has %d messages, node %s %d, and not the same:\n%v\n%v",
					room, n.name, len(got[room]), nodes[0].name, len(lines), got[room], lines)
			}
		}
		if len(got) != len(want) {
			t.Errorf("node %s has %d rooms, node %s %d", n.name, len(got), nodes[0].name, len(want))
		}
	}
	for room, ids := range a.all {
		found := map[string]int{}
		for _, l := range want[room] {
			found[l.id]++
		}
		for id := range ids {
			if found[id] != 1 {
				t.Errorf("room %s: acked message %s is there %d times", room, id, found[id])
			}
		}
	}
}

// onePast checks that nodes have no gap, and that none of them went another way than the
// log did, or lost its end.
func onePast(t *testing.T, nodes []*node) {
	t.Helper()
	for _, n := range nodes {
		gapless(t, n)
		if forked, stale, _ := n.counts(); forked+stale > 0 {
			t.Errorf("node %s: %d forks, %d times stale", n.name, forked, stale)
		}
	}
}

// gapless checks that seqs go up by one within an epoch.
func gapless(t *testing.T, n *node) {
	t.Helper()
	for room, lines := range n.history() {
		for i := 1; i < len(lines); i++ {
			a, b := lines[i-1], lines[i]
			if a.epoch == b.epoch && b.seq != a.seq+1 {
				t.Errorf("room %s: seq %d of epoch %d is followed by %d", room, a.seq, a.epoch, b.seq)
			}
		}
	}
}
