package bus

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"
)

// storm is a cluster to which faults happen while clients talk on all its nodes.
type storm struct {
	t      *testing.T
	random *rand.Rand
	server *server
	nodes  []*node
	alive  []sync.RWMutex // of each node: held by who uses its bus; for writing by who ends it
	saved  string         // a copy of the server's files
	done   chan struct{}
	acks   acks
}

// Whatever dies, nothing acked is lost or doubled, and all nodes hold the same in the
// end. BUS_STORM is the seed to begin with, BUS_STORMS how many.
func TestRedis_Storm(t *testing.T) {
	t.Parallel()
	seed, storms := uint64(103), 1 // 103 once found two pasts joined into one
	if s := os.Getenv("BUS_STORM"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	if s := os.Getenv("BUS_STORMS"); s != "" {
		storms, _ = strconv.Atoi(s)
	}
	for i := range uint64(storms) {
		t.Run(strconv.FormatUint(seed+i, 10), func(t *testing.T) { runStorm(t, seed+i) })
	}
}

func runStorm(t *testing.T, seed uint64) {
	s := &storm{
		t: t, random: rand.New(rand.NewPCG(seed, 0)), server: newServer(t, durable...),
		alive: make([]sync.RWMutex, 3), done: make(chan struct{}),
	}
	s.nodes = newCluster(t, s.server.url(), len(s.alive), 2)
	var talk sync.WaitGroup
	for i := range s.nodes {
		for _, room := range []string{"room0", "room1", "room2"} {
			talk.Go(func() { s.talk(i, room) })
		}
	}
	s.saved = s.server.saved()
	for range 6 {
		time.Sleep(time.Duration(s.random.IntN(300)) * time.Millisecond)
		s.fault()
	}
	close(s.done)
	talk.Wait()
	for _, n := range s.nodes {
		n.ready(t)
	}
	agree(t, s.nodes, &s.acks)
}

// talk says one message after the other through node i until done. One that is not
// acked is sent again through the next node.
func (s *storm) talk(i int, room string) {
	for k := 0; ; k++ {
		id := fmt.Sprintf("%d-%d", i, k)
		for at := i; ; at = (at + 1) % len(s.nodes) {
			s.alive[at].RLock()
			n := s.nodes[at]
			pos, ok := Pos{}, false
			if n.Redis != nil {
				pos, ok = n.say(room, id, time.Now().Add(500*time.Millisecond))
			}
			s.alive[at].RUnlock()
			if ok {
				s.acks.add(room, id, pos)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		select {
		case <-s.done:
			return
		default:
		}
	}
}

// fault does one bad thing, and makes it good again.
func (s *storm) fault() {
	short := time.Duration(s.random.IntN(1000)) * time.Millisecond
	victim := s.random.IntN(len(s.nodes))
	what := s.random.IntN(10)
	s.t.Logf("fault %d, node %d, %v", what, victim, short)
	switch what {
	case 0:
		s.server.kill()
		time.Sleep(short / 4)
		s.server.start()
	case 1:
		s.server.kill()
		s.server.empty()
		s.server.start()
	case 2: // rolled back to what was saved
		s.server.kill()
		s.server.rollBack(s.saved)
		s.server.start()
	case 3:
		s.server.stop()
		time.Sleep(2 * short)
		s.server.cont()
	case 4:
		s.server.must("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
		s.server.must("CLIENT", "KILL", "TYPE", "pubsub")
	case 5:
		s.dies(victim, short, func() {})
	case 6: // the bus loses all while a node is away that may hold what nobody else does
		s.dies(victim, short, func() {
			s.server.kill()
			if short%2 == 0 {
				s.server.empty()
			} else {
				s.server.rollBack(s.saved)
			}
			s.server.start()
		})
	case 7:
		s.nodes[victim].setRefuse(true)
		time.Sleep(short)
		s.nodes[victim].setRefuse(false)
	case 8:
		s.saved = s.server.saved()
		s.server.must("FLUSHALL")
	case 9: // as if it had restarted without a loss
		s.server.must("SCRIPT", "FLUSH")
	}
}

// dies ends a node as SIGKILL would, and starts it again.
func (s *storm) dies(victim int, short time.Duration, meanwhile func()) {
	n := s.nodes[victim]
	for i, other := range s.nodes { // it may be the only one to have the newest entries
		if i != victim {
			other.setRefuse(true)
		}
	}
	time.Sleep(short / 10)
	s.alive[victim].Lock()
	n.die(s.t)
	meanwhile()
	for _, other := range s.nodes {
		other.setRefuse(false)
	}
	time.Sleep(short)
	n.up(s.t)
	s.alive[victim].Unlock()
}
