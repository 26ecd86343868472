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
)

var seeds = flag.Int("seeds", 20, "how many seeds the simulation plays")

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
)

// sim is a Runner without its goroutine, its store and its clients, in virtual
// time: what happens is drawn from rnd alone. Ports refuse, answers come late, in
// any order or never, connections end, and the process is killed now and then.
type sim struct {
	rnd     *rand.Rand
	lie     lie
	cfg     Config
	now     int64
	store   *store
	runner  *Runner
	asked   []Request // to History, not answered yet
	devices []*device
	check   checker
	trace   hash.Hash64
	events  int
}

var simRooms = []string{"r", "s", "t"}

func newSim(seed uint64, l lie) *sim {
	s := &sim{
		rnd: rand.New(rand.NewPCG(seed, 0)), lie: l, now: time.Unix(1_700_000_000, 0).UnixNano(), store: newStore(),
		trace: fnv.New64a(), cfg: Config{Shards: 1, Epoch: 1, Grace: time.Second, Mailbox: 4},
	}
	s.cfg.Now = func() int64 { return s.now }
	s.cfg.Busy = func() float64 { return float64(s.now/1e9%10) / 10 }
	s.check = checker{sim: s, acked: make(map[string]uint64)}
	for i := range 7 {
		s.devices = append(s.devices, newDevice(s, fmt.Sprintf("user%d", i/2), fmt.Sprintf("d%d", i)))
	}
	s.start()
	return s
}

func (s *sim) start() {
	s.cfg = s.cfg.withDefaults()
	s.runner = newRunner(newShard(&s.cfg, 0, simJournal{s}, s.store, nil))
	close(s.runner.ended)
}

// simJournal is the store's Journal, or one that loses records.
type simJournal struct{ *sim }

func (j simJournal) Append(r Record) bool {
	if j.lie == journalDrops && j.chance(20) {
		r.Body.Release()
		return true
	}
	return j.store.Append(r)
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
		s.store.full = s.chance(3)
	case n < 81:
		s.store.deaf = s.chance(3)
	case n < 90:
		s.commit(s.rnd.IntN(len(s.store.taken) + 1))
	case n < 99:
		s.answer(s.chance(5))
	case s.chance(4):
		s.restart()
	}
}

// work has the mailbox worked off and everybody look.
func (s *sim) work() {
	s.runner.work()
	select {
	case <-s.runner.wake:
		s.runner.ownTurn()
	default:
	}
	s.asked = append(s.asked, s.store.questions()...)
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
		s.now = min(max(s.runner.next, s.now+1), end)
		s.runner.ownTurn()
		s.work()
		s.check.inTime()
	}
}

func (s *sim) commit(n int) {
	if n == 0 {
		return
	}
	if s.lie == acksBeforeCommit {
		last := s.store.taken[len(s.store.taken)-1]
		s.runner.post(&Command{Kind: committed, name: last.room, Epoch: last.pos.Epoch, After: last.pos.Seq})
		return
	}
	for _, notice := range s.store.commit(n) {
		if s.lie != commitIsLost || !s.chance(20) {
			s.runner.post(&Command{Kind: committed, name: notice.Room, Epoch: notice.Epoch, After: notice.Seq, Hash: notice.Hash})
		}
	}
}

// answer has History answer one of its questions.
func (s *sim) answer(fails bool) {
	if len(s.asked) == 0 {
		return
	}
	i := s.rnd.IntN(len(s.asked))
	q := s.asked[i]
	s.asked = append(s.asked[:i], s.asked[i+1:]...)
	a := s.store.answer(q)
	switch {
	case fails:
		a.release()
		a = Answer{Request: q, Err: errStore}
	case s.lie == historyForgetsWindow:
		a.IDs = nil
	case s.lie == historyForgetsNewest && q.Kind == Load && len(a.Messages) > 0:
		last := len(a.Messages) - 1
		a.Messages[last].Release()
		a.Messages, a.Epochs, a.Last.Seq = a.Messages[:last], a.Epochs[:last], a.Last.Seq-1
	}
	s.runner.post(&Command{Kind: replayed, answer: &a})
}

// restart is a kill and a new start. What was being committed may have been.
func (s *sim) restart() {
	s.runner.close()
	if len(s.store.taken) > 0 {
		s.store.commit(s.rnd.IntN(len(s.store.taken)))
	}
	s.store.taken, s.asked = nil, nil
	s.cfg.Epochs = append(s.cfg.Epochs[:len(s.cfg.Epochs):len(s.cfg.Epochs)], s.cfg.Epoch+1)
	s.cfg.Epoch++
	s.start()
	for _, d := range s.devices {
		d.connect()
	}
}

// calm lets everything come to rest.
func (s *sim) calm() {
	s.store.full, s.store.deaf = false, false
	for range int(calmFor / (100 * time.Millisecond)) {
		for len(s.asked) > 0 {
			s.answer(false)
		}
		s.commit(len(s.store.taken))
		s.work()
		s.pass(100 * time.Millisecond)
	}
	for _, d := range s.devices {
		if d.line.dead {
			d.end()
		}
	}
	s.work()
	s.pass(2 * s.cfg.Grace)
	s.check.settled()
}

// settle has every device resend what was not acked, until nothing is left.
func (s *sim) settle() {
	s.calm()
	for round := 0; round < 3; round++ {
		for _, d := range s.devices {
			for _, said := range slices.Clone(d.outbox) {
				if d.member(said.room) == nil {
					d.join(said.room)
					s.work()
				}
				d.send(said)
				s.work()
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
	s.runner.close()
}

func (s *sim) complain(format string, args ...any) {
	s.check.problems = append(s.check.problems, fmt.Sprintf("step %d: ", s.events)+fmt.Sprintf(format, args...))
}

func TestSimulation_KeepsEveryPromise(t *testing.T) {
	before := frame.Live()
	var resumed, acks, refused, starts int
	for seed := range uint64(*seeds) {
		s := newSim(seed, honest)
		s.run()
		for i, problem := range s.check.problems {
			if i < 5 {
				t.Errorf("seed %d, %s", seed, problem)
			}
		}
		if n := frame.Live(); n != before {
			t.Fatalf("seed %d: %d Bufs left over", seed, n-before)
		}
		resumed, acks, refused, starts = resumed+s.check.resumed, acks+s.check.acks, refused+s.check.refused, starts+int(s.cfg.Epoch)
	}
	t.Logf("%d resumed, %d acks, %d refused, %d starts", resumed, acks, refused, starts)
	if min(resumed, acks, refused) < 50**seeds || starts < 3**seeds {
		t.Error("too little happened")
	}
}

func TestSimulation_SameSeedSameTrace(t *testing.T) {
	var sums [3]uint64
	for i, seed := range []uint64{7, 7, 8} {
		s := newSim(seed, honest)
		s.run()
		sums[i] = s.trace.Sum64()
	}
	if sums[0] != sums[1] || sums[0] == sums[2] {
		t.Errorf("got traces %x, %x of one seed and %x of another", sums[0], sums[1], sums[2])
	}
}

// TestSimulation_SeesThroughLies is the checker's own test.
func TestSimulation_SeesThroughLies(t *testing.T) {
	for name, l := range map[string]lie{
		"acks before the commit": acksBeforeCommit, "journal drops": journalDrops, "outlet drops": outletDrops,
		"outlet doubles": outletDoubles, "history forgets the newest": historyForgetsNewest,
		"history forgets the window": historyForgetsWindow, "gone is lost": goneIsLost, "commit is lost": commitIsLost,
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(1, l)
			s.run()
			if len(s.check.problems) == 0 {
				t.Fatal("not noticed")
			}
			t.Log(s.check.problems[0])
		})
	}
}
