package shard

import (
	"flag"
	"fmt"
	"hash"
	"hash/fnv"
	"math/rand/v2"
	"nebula/frame"
	"slices"
	"testing"
	"time"
)

const (
	simSteps  = 600 // of one seed
	calmEvery = 150 // steps between two times at which all has to be settled
	calmFor   = 15 * time.Second
	simGrace  = time.Second
)

var seeds = flag.Int("seeds", 10, "how many seeds the simulation plays")

// lie is how a double behaves that the checker has to see through.
type lie uint8

const (
	honest lie = iota
	acksBeforeCommit
	journalDrops
	outletDrops
	outletDoubles
	historyForgetsNewest
	historyForgetsWindow
	goneIsLost
	commitIsLost
	entryIsLost
	entriesSwap
	busForgetsIDs
	busSettlesAll
	presenceIsLost
	nothingIsRestored
)

// sim is some nodes without goroutines, and their clients, in virtual time: what happens
// is drawn from rnd alone. Ports refuse, answers come late, in any order or never,
// connections end, and processes are killed now and then.
type sim struct {
	rnd     *rand.Rand
	lie     lie
	now     int64
	nodes   []*node
	bus     *simBus // nil: one machine
	devices []*device
	check   checker
	trace   hash.Hash64
	events  int
	starts  int
}

var simRooms = []string{"r", "s", "t"}

// scene is where a simulation plays.
type scene uint8

const (
	oneMachine scene = iota
	threeNodes
	lossyBus // of three nodes
)

func newSim(seed uint64, l lie, where scene) *sim {
	s := &sim{
		rnd: rand.New(rand.NewPCG(seed, 0)), lie: l, now: time.Unix(1_700_000_000, 0).UnixNano(), trace: fnv.New64a(),
	}
	s.check = checker{sim: s, acked: make(map[string]uint64), orders: make(map[string][]row)}
	nodes := 1
	if where != oneMachine {
		s.bus, nodes = newSimBus(s), 3
		s.bus.loses = where == lossyBus
	}
	for range nodes {
		s.nodes = append(s.nodes, newNode(s))
	}
	for i := range 7 {
		s.devices = append(s.devices, newDevice(s, fmt.Sprintf("user%d", i/2), fmt.Sprintf("d%d", i)))
	}
	return s
}

// chance is true once in n times.
func (s *sim) chance(n int) bool { return s.rnd.IntN(n) == 0 }

// run plays the steps and ends in calm.
func (s *sim) run() {
	for i := range simSteps {
		s.events++
		s.step()
		if i%calmEvery == calmEvery-1 {
			s.calm()
		}
	}
	s.settle()
	s.close()
}

// step is a few things that happen in one turn, and time that passes.
func (s *sim) step() {
	for range 1 + s.rnd.IntN(6) {
		s.happen()
	}
	if s.bus != nil {
		s.bus.happen(s.nodes[s.rnd.IntN(len(s.nodes))])
	}
	s.work()
	switch {
	case s.chance(60):
		s.pass(time.Duration(s.rnd.Int64N(int64(7 * time.Second))))
	case s.chance(4):
		s.pass(time.Duration(s.rnd.Int64N(int64(400 * time.Millisecond))))
	default:
		s.pass(time.Duration(s.rnd.Int64N(int64(20 * time.Millisecond))))
	}
}

// happen is one thing that happens.
func (s *sim) happen() {
	d := s.devices[s.rnd.IntN(len(s.devices))]
	room := simRooms[s.rnd.IntN(len(simRooms))]
	switch n := s.rnd.IntN(100); {
	case n < 20:
		d.join(room)
	case n < 28:
		d.leave(room)
	case n < 60:
		d.say(room)
	case n < 66:
		d.resend()
	case n < 69:
		d.ask(room, Command{Kind: Page, Before: uint64(s.rnd.IntN(40)), Limit: 1 + s.rnd.IntN(30)})
	case n < 71:
		d.ask(room, Command{Kind: Users, Limit: 50})
	case n < 73:
		d.ask(room, Command{Kind: Typing})
	case n < 76:
		d.end()
	case n < 77:
		d.line.dead = true // its end comes later
	case n < 79:
		d.node.store.full = s.chance(3)
	case n < 81:
		d.node.store.deaf = s.chance(3)
	case n < 88:
		d.node.commit(s.rnd.IntN(len(d.node.store.taken) + 1))
	case n < 95:
		d.node.answer(s.chance(5))
	case n < 99:
		if s.bus != nil {
			s.bus.happen(d.node)
		}
	case s.chance(4):
		d.node.restart()
	}
}

// work has the mailboxes worked off and everybody look.
func (s *sim) work() {
	for _, n := range s.nodes {
		n.work()
	}
	clear(s.check.orders)
	for _, d := range s.devices {
		for _, one := range d.line.take() {
			fmt.Fprintln(s.trace, s.now, d.name, one)
			s.check.saw(d, one)
		}
	}
}

// pass lets time go by, with a turn whenever the shard wants one.
func (s *sim) pass(d time.Duration) {
	for end := s.now + int64(d); s.now < end; {
		next := end
		for _, n := range s.nodes {
			next = min(next, n.runner.next)
		}
		s.now = max(next, s.now+1)
		for _, n := range s.nodes {
			n.runner.ownTurn()
		}
		s.work()
		s.check.inTime()
	}
}

// calm lets everything come to rest.
func (s *sim) calm() {
	for range int(calmFor / (100 * time.Millisecond)) {
		for _, n := range s.nodes {
			n.calm()
		}
		s.work()
		s.pass(100 * time.Millisecond)
	}
	for _, d := range s.devices {
		if d.line.dead {
			d.end()
		}
	}
	s.work()
	for range 10 { // the last goings are told to other nodes
		s.pass(simGrace / 2)
		for _, n := range s.nodes {
			n.calm()
		}
		s.work()
	}
	s.check.settled()
}

// settle has every device resend what was not acked, until nothing is left.
func (s *sim) settle() {
	s.calm()
	for round := 0; round < 5; round++ {
		for _, d := range s.devices {
			for _, said := range slices.Clone(d.outbox) {
				if d.member(said.room) == nil {
					d.join(said.room)
					s.work()
				}
				d.send(said)
				s.work()
				d.node.calm()
			}
		}
		s.calm()
	}
	s.check.ended()
}

// close leaves a mailbox full, as a kill would.
func (s *sim) close() {
	for range 20 {
		s.happen()
	}
	for _, n := range s.nodes {
		n.runner.close()
	}
}

func (s *sim) complain(format string, args ...any) {
	s.check.problems = append(s.check.problems, fmt.Sprintf("step %d: ", s.events)+fmt.Sprintf(format, args...))
}

func TestSimulation_KeepsEveryPromise(t *testing.T) {
	for name, where := range map[string]scene{"one machine": oneMachine, "three nodes": threeNodes, "lossy bus": lossyBus} {
		t.Run(name, func(t *testing.T) { keepsEveryPromise(t, where) })
	}
}

func keepsEveryPromise(t *testing.T, where scene) {
	before := frame.Live()
	var resumed, acks, refused, starts int
	for seed := range uint64(*seeds) {
		s := newSim(seed, honest, where)
		s.run()
		for i, problem := range s.check.problems {
			if i < 5 {
				t.Errorf("seed %d, %s", seed, problem)
			}
		}
		if n := frame.Live(); n != before {
			t.Fatalf("seed %d: %d Bufs left over", seed, n-before)
		}
		resumed, acks, refused, starts = resumed+s.check.resumed, acks+s.check.acks, refused+s.check.refused, starts+s.starts
	}
	t.Logf("%d resumed, %d acks, %d refused, %d starts", resumed, acks, refused, starts)
	if min(acks, refused) < 50**seeds || resumed < 50**seeds && where != lossyBus || starts < 3**seeds {
		t.Error("too little happened")
	}
}

func TestSimulation_SameSeedSameTrace(t *testing.T) {
	for where := range lossyBus + 1 {
		var sums [3]uint64
		for i, seed := range []uint64{7, 7, 8} {
			s := newSim(seed, honest, where)
			s.run()
			sums[i] = s.trace.Sum64()
		}
		if sums[0] != sums[1] || sums[0] == sums[2] {
			t.Errorf("scene %d: got traces %x, %x of one seed and %x of another", where, sums[0], sums[1], sums[2])
		}
	}
}

// TestSimulation_SeesThroughLies is the checker's own test.
func TestSimulation_SeesThroughLies(t *testing.T) {
	for name, l := range map[string]lie{
		"acks before the commit": acksBeforeCommit, "journal drops": journalDrops, "outlet drops": outletDrops,
		"outlet doubles": outletDoubles, "history forgets the newest": historyForgetsNewest,
		"history forgets the window": historyForgetsWindow, "gone is lost": goneIsLost, "commit is lost": commitIsLost,
	} {
		t.Run(name, func(t *testing.T) { seesThrough(t, l, oneMachine) })
	}
	for name, l := range map[string]lie{
		"acks before the commit": acksBeforeCommit, "an entry is lost": entryIsLost, "entries swap": entriesSwap,
		"the bus forgets ids": busForgetsIDs, "the bus settles all": busSettlesAll, "presence is lost": presenceIsLost,
		"outlet drops": outletDrops, "history forgets the newest": historyForgetsNewest, "gone is lost": goneIsLost,
	} {
		t.Run("in a cluster "+name, func(t *testing.T) { seesThrough(t, l, threeNodes) })
	}
	for name, l := range map[string]lie{
		"acks before the commit": acksBeforeCommit, "nothing is restored": nothingIsRestored,
		"outlet drops": outletDrops, "history forgets the newest": historyForgetsNewest,
	} {
		t.Run("with a lossy bus "+name, func(t *testing.T) { seesThrough(t, l, lossyBus) })
	}
}

func seesThrough(t *testing.T, l lie, where scene) {
	for seed := range uint64(5) {
		s := newSim(seed, l, where)
		s.run()
		if len(s.check.problems) > 0 {
			t.Log(s.check.problems[0])
			return
		}
	}
	t.Fatal("not noticed")
}
