package bus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// crowd is a node whose rooms remember who is elsewhere.
type crowd struct {
	bus  *Redis
	deaf atomic.Bool // to notices

	*memory
	mu   sync.Mutex
	told audience
	said []string // who was said to type
}

// Presence implements Rooms.
func (c *crowd) Presence(partition int, changes []Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told.Presence(partition, changes)
}

// Typing implements Rooms.
func (c *crowd) Typing(partition int, room, user, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, fmt.Sprint(partition, room, user, name))
}

// newCrowd starts a node.
func newCrowd(t *testing.T, s *server, name string, partitions int, dead time.Duration) *crowd {
	t.Helper()
	c := &crowd{memory: newMemory(t, name)}
	cfg := Config{URL: s.url(), Node: name, Advertise: "admin of " + name, Partitions: partitions, pace: quick()}
	cfg.pace.dead = dead
	bus, err := NewRedis(cfg, c, c)
	if err != nil {
		t.Fatal(err)
	}
	c.bus = bus
	note := bus.note
	bus.note = func(partition int, s string) {
		if !c.deaf.Load() {
			note(partition, s)
		}
	}
	bus.Start()
	t.Cleanup(func() { c.close(t) })
	return c
}

func newCrowds(t *testing.T, s *server, dead time.Duration) (a, b, c *crowd) {
	t.Helper()
	return newCrowd(t, s, "a", 2, dead), newCrowd(t, s, "b", 2, dead), newCrowd(t, s, "c", 2, dead)
}

func (c *crowd) close(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if err := c.bus.Close(ctx); ctx.Err() != nil {
		t.Errorf("node %s: %v", c.name, err)
	}
}

// die ends the node without a word to the others, as SIGKILL would.
func (c *crowd) die() {
	c.bus.directory.stop()
	c.bus.stop()
	c.bus.running.Wait()
}

func (c *crowd) enter(user string) { c.bus.Presence(1, "room", user, "name of "+user, true) }

func (c *crowd) exit(user string) { c.bus.Presence(1, "room", user, "", false) }

// sees waits until the node knows, and has told, that exactly these are elsewhere.
func (c *crowd) sees(t *testing.T, users ...string) {
	t.Helper()
	want, names := map[member]string{}, map[string]string{}
	for _, user := range users {
		want[member{"room", user}], names[user] = "name of "+user, "name of "+user
	}
	eventually(t, fmt.Sprintf("node %s sees %d users: %.60s", c.name, len(users), strings.Join(users, " ")), func() bool {
		got := map[string]string{}
		for _, p := range c.bus.Elsewhere(1, "room") {
			got[p.User] = p.Name
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return maps.Equal(got, names) && (maps.Equal(c.told.here, want) || len(want)+len(c.told.here) == 0)
	})
}

// left returns how many users the node was told to be gone.
func (c *crowd) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.told.left
}

func TestRedis_Presence(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Hour)
	a.enter("u1")
	b.enter("u2")
	c.sees(t, "u1", "u2")
	a.sees(t, "u2")
	b.sees(t, "u1")

	b.enter("u1") // is on both
	a.sees(t, "u1", "u2")
	a.exit("u1")
	b.sees(t)
	c.sees(t, "u1", "u2")
	if n := c.left(); n != 0 {
		t.Errorf("c was told that %d left; one left one of its two nodes", n)
	}
	b.exit("u1")
	c.sees(t, "u2")

	b.bus.Presence(1, "room", "u2", "another name", true)
	eventually(t, "c sees the new name", func() bool {
		people := c.bus.Elsewhere(1, "room")
		return len(people) == 1 && people[0].Name == "another name"
	})
	if got := c.bus.Elsewhere(0, "room"); len(got) != 0 {
		t.Errorf("got %v in another partition, want nobody", got)
	}
	want := map[Peer]bool{{"a", "admin of a"}: true, {"b", "admin of b"}: true}
	eventually(t, "c knows its peers", func() bool {
		got := map[Peer]bool{}
		for _, p := range c.bus.Peers() {
			got[p] = true
		}
		return maps.Equal(got, want) && c.bus.Stats().Nodes == 3
	})
}

func TestRedis_Typing(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Hour)
	for _, n := range []*crowd{a, b, c} {
		eventually(t, "all listen", func() bool { return n.bus.Stats().Connected })
	}
	a.bus.Typing(1, "room", "u1", "Ann")
	c.bus.Typing(0, "room", "u2", "Bob")
	hears := func(n *crowd, want ...string) {
		t.Helper()
		eventually(t, n.name+" hears who types", func() bool {
			n.mu.Lock()
			defer n.mu.Unlock()
			got, wants := map[string]int{}, map[string]int{}
			for i := range want {
				wants[want[i]]++
			}
			for i := range n.said {
				got[n.said[i]]++
			}
			return maps.Equal(got, wants)
		})
	}
	hears(b, "1roomu1Ann", "0roomu2Bob")
	hears(a, "0roomu2Bob")
	hears(c, "1roomu1Ann")
}

func TestRedis_TypingIsDroppedWhileTheBusIsAway(t *testing.T) {
	s := newServer(t)
	s.kill()
	a := newCrowd(t, s, "a", 2, time.Hour)
	for range typistsMost + 10 {
		a.bus.Typing(1, "room", "u1", "Ann")
	}
	if got := a.bus.Stats().Untold; got != 10 {
		t.Errorf("got %d untold, want 10", got)
	}
}

func TestRedis_DeadNodesUsersGo(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Second)
	a.enter("u1")
	b.enter("u2")
	c.sees(t, "u1", "u2")
	b.die()
	c.sees(t, "u1")
	a.sees(t)
	eventually(t, "what b left on the bus is removed", func() bool {
		return s.must("EXISTS", "nebula:{0}:who:b", "nebula:{1}:who:b") == "0" && s.must("HEXISTS", nodesKey, "b") == "0"
	})
	// It comes back under its name.
	b = newCrowd(t, s, "b", 2, time.Second)
	b.enter("u3")
	c.sees(t, "u1", "u3")
	b.sees(t, "u1")
}

// A process that starts under the name of one that just died takes its place at once.
func TestRedis_RestartedNodeTakesItsPlace(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Hour)
	b.enter("u2")
	a.sees(t, "u2")
	b.die()
	b = newCrowd(t, s, "b", 2, time.Hour)
	b.enter("u3")
	a.sees(t, "u3")
	c.sees(t, "u3")
}

func TestRedis_CloseWithdraws(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Hour)
	a.enter("u1")
	b.enter("u2")
	c.sees(t, "u1", "u2")
	b.close(t)
	c.sees(t, "u1")
	a.sees(t)
	if got := s.must("EXISTS", "nebula:{0}:who:b", "nebula:{1}:who:b"); got != "0" {
		t.Errorf("got %s hashes of b, want none", got)
	}
	if got := s.must("HEXISTS", nodesKey, "b"); got != "0" {
		t.Error("b has a lease")
	}
	eventually(t, "b is no peer", func() bool { return len(a.bus.Peers()) == 1 && a.bus.Stats().Nodes == 2 })
}

// The bus comes back empty: each node writes its members anew, in several parts, and
// nobody is told that anybody left.
func TestRedis_PresenceAfterTheBusLostAll(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Hour)
	var all []string
	for i := range 2*amendMost + 10 {
		all = append(all, fmt.Sprint("u", i))
		a.enter(all[i])
	}
	c.enter("w") // which is never mentioned again
	b.sees(t, append([]string{"w"}, all...)...)
	c.sees(t, all...)
	s.kill()
	a.exit(all[0])
	b.enter("v")
	time.Sleep(200 * time.Millisecond) // the outage is noticed
	s.start()
	b.sees(t, append([]string{"w"}, all[1:]...)...)
	c.sees(t, append([]string{"v"}, all[1:]...)...)
	eventually(t, "the bus has all again", func() bool {
		return s.must("HLEN", "nebula:{1}:who:a") == fmt.Sprint(len(all)) && s.must("HLEN", "nebula:{1}:who:b") == "2" &&
			s.must("HLEN", "nebula:{1}:who:c") == "2"
	})
	if n := c.left(); n != 1 {
		t.Errorf("c was told that %d left, want 1", n)
	}
	d := newCrowd(t, s, "d", 2, time.Hour)
	d.sees(t, append([]string{"v", "w"}, all[1:]...)...)
}

// Nobody dies of a bus that stands still for longer than a lease may.
func TestRedis_PresenceWhileTheBusStandsStill(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const dead = 4 * time.Second
	a, b, c := newCrowds(t, s, dead)
	a.enter("u1")
	c.sees(t, "u1")
	s.stop()
	b.enter("u2")
	time.Sleep(dead + dead/2)
	s.cont()
	c.sees(t, "u1", "u2")
	a.sees(t, "u2")
	if n := c.left(); n != 0 {
		t.Errorf("c was told that %d left, want none", n)
	}
}

func TestRedis_LostNotices(t *testing.T) {
	s := newServer(t)
	a, b, c := newCrowds(t, s, time.Hour)
	a.enter("u1")
	b.sees(t, "u1")
	c.sees(t, "u1")
	c.deaf.Store(true)
	a.enter("u2")
	b.sees(t, "u1", "u2")
	c.deaf.Store(false)
	a.enter("u3") // shows that one is missing
	c.sees(t, "u1", "u2", "u3")

	c.deaf.Store(true)
	a.exit("u1")
	b.sees(t, "u2", "u3")
	c.sees(t, "u2", "u3") // by comparison
}

func TestRedis_RefusesAnotherNumberOfPartitions(t *testing.T) {
	s := newServer(t)
	a := newCrowd(t, s, "a", 2, time.Hour)
	eventually(t, "a has a lease", func() bool { return s.must("HEXISTS", nodesKey, "a") == "1" })
	b := newCrowd(t, s, "b", 4, time.Hour)
	eventually(t, "b is refused", func() bool { return errors.Is(b.bus.Ready(), ErrRefused) })
	if got, want := b.bus.Ready().Error(), "has 2 shards, this node 4"; !strings.Contains(got, want) {
		t.Errorf("got %q, want something with %q", got, want)
	}
	b.enter("u1")
	a.sees(t)
	if got := s.must("EXISTS", "nebula:{3}:who:b"); got != "0" {
		t.Error("the refused node has members on the bus")
	}
}

// Two processes of one name: the older one is refused until the other has left.
func TestRedis_NameTaken(t *testing.T) {
	s := newServer(t)
	a := newCrowd(t, s, "a", 2, time.Hour)
	older := newCrowd(t, s, "b", 2, time.Hour)
	older.enter("u1")
	a.sees(t, "u1")
	newer := newCrowd(t, s, "b", 2, time.Hour)
	newer.enter("u2")
	eventually(t, "the older one is refused", func() bool { return errors.Is(older.bus.directory.refused(), ErrRefused) })
	a.sees(t, "u2")
	left := a.left()
	time.Sleep(5 * quick().poll)
	if got := a.left(); got != left {
		t.Errorf("%d left while nobody did; the two write over each other", got-left)
	}
	if err := newer.bus.directory.refused(); err != nil {
		t.Errorf("the newer one: %v", err)
	}
	newer.close(t)
	a.sees(t, "u1")
}

// A bus that was rolled back has the lease of the node's last process: the running one
// keeps its name.
func TestRedis_NameOfAnEarlierLife(t *testing.T) {
	s := newServer(t)
	a, b := newCrowd(t, s, "a", 2, time.Hour), newCrowd(t, s, "b", 2, time.Hour)
	b.enter("u1")
	a.sees(t, "u1")
	s.must("HSET", nodesKey, "b", "0000018f00000000 7 admin of b")
	eventually(t, "the lease is the running process's", func() bool {
		return strings.HasPrefix(s.must("HGET", nodesKey, "b"), b.bus.directory.instance)
	})
	if err := b.bus.directory.refused(); err != nil {
		t.Error(err)
	}
	a.sees(t, "u1")
}
