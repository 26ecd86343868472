package shard

import (
	"bytes"
	"fmt"
	"nebula/frame"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bubble is a Set of one shard on the fake clock of testing/synctest.
type bubble struct {
	t     *testing.T
	set   *Set
	store *store
	reads atomic.Int64 // of the clock
	start time.Time
}

func inBubble(t *testing.T, use func(*bubble)) {
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t, store: newStore(), start: time.Now()}
		b.set = NewSet(Config{Shards: 1, Epoch: 1, Grace: 2 * time.Second, Now: func() int64 {
			b.reads.Add(1)
			return time.Now().UnixNano()
		}}, b.store, b.store, nil)
		use(b)
		b.set.Close()
	})
}

func (b *bubble) do(cmd Command) {
	b.set.Post(0, cmd)
	b.set.Work(0)
}

// join joins room r; the load is not answered yet.
func (b *bubble) join(user string) (*Member, *screen) {
	s := &screen{}
	m := NewMember(&Client{User: user, Name: user, Out: s}, "r")
	b.do(Command{Kind: Join, Member: m})
	return m, s
}

func (b *bubble) load() {
	for _, q := range b.store.questions() {
		b.set.Replayed(b.store.answer(q))
	}
}

func (b *bubble) say(m *Member, id string) {
	body := frame.EncodeMessage("r", []byte(id), m.client.User, m.client.Name, []byte("text"))
	b.do(Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, []byte(id)), Read: time.Now().UnixNano()})
}

// want waits until the time given, since the start, and checks that s shows then,
// and not earlier, what is wanted.
func (b *bubble) want(s *screen, at time.Duration, want ...string) {
	b.t.Helper()
	time.Sleep(time.Until(b.start.Add(at)) - time.Nanosecond)
	synctest.Wait()
	if early := s.take(); len(early) > 0 {
		b.t.Errorf("before %v: got %v", at, early)
	}
	time.Sleep(time.Nanosecond)
	synctest.Wait()
	var got []string
	for _, one := range s.take() {
		got = append(got, one.String())
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		b.t.Errorf("at %v: got %q, want %q", at, got, want)
	}
}

func TestRunner_TakesTheTurnsThatTimeAsksFor(t *testing.T) {
	inBubble(t, func(b *bubble) {
		ann, a := b.join("ann")
		b.load()
		bob, _ := b.join("bob")
		a.take()
		b.want(a, 50*time.Millisecond, "presence r 2 here; joined ann bob")
		b.say(ann, "x")
		a.take()
		b.do(Command{Kind: Gone, Member: bob})
		b.want(a, 50*time.Millisecond+2*time.Second+smallDelay, "presence r 1 here; left bob")
		b.want(a, 50*time.Millisecond+ackPatience, "error internal x; retry in 250 ms")
	})
}

func TestRunner_AsksHistoryAgainAndGivesUp(t *testing.T) {
	inBubble(t, func(b *bubble) {
		b.store.deaf = true
		_, a := b.join("ann")
		b.want(a, loadPatience, "error unavailable; retry in 250 ms")
		if n := b.set.Stats().Rooms; n != 0 {
			t.Errorf("got %d rooms, want none", n)
		}
		if n := b.reads.Load(); n < int64(loadPatience/loadAgain) || n > 4*int64(loadPatience/loadAgain) {
			t.Errorf("the clock was read %d times", n)
		}
	})
}

// TestRunner_SleepsWhenNothingIsDue: an idle shard costs nothing.
func TestRunner_SleepsWhenNothingIsDue(t *testing.T) {
	inBubble(t, func(b *bubble) {
		ann, _ := b.join("ann")
		b.load()
		b.say(ann, "x")
		b.set.Committed(b.store.commit(1))
		time.Sleep(10 * time.Second)
		synctest.Wait()
		before := b.reads.Load()
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		if n := b.reads.Load() - before; n > 30 { // its timer goes off once an hour
			t.Errorf("the clock was read %d times in 10 h", n)
		}
	})
}

// slow is an Outlet that takes its time, as a fan-out to many does.
type slow struct{ screen }

func (s *slow) Send(p Payload) bool {
	time.Sleep(60 * time.Millisecond)
	return s.screen.Send(p)
}

func TestRunner_TakesADueTurnAfterALongOne(t *testing.T) {
	inBubble(t, func(b *bubble) {
		s := &slow{}
		m := NewMember(&Client{User: "ann", Name: "ann", Out: s}, "r")
		b.do(Command{Kind: Join, Member: m})
		b.load() // joined takes 60 ms, so the delta of 50 ms is late
		s.take()
		time.Sleep(70 * time.Millisecond)
		synctest.Wait()
		if got := s.take(); len(got) != 1 || got[0].Type != "presence" {
			t.Errorf("got %v, want one presence", got)
		}
	})
}

func TestSet_ClosedAnswersAndReleases(t *testing.T) {
	inBubble(t, func(b *bubble) {
		ann, a := b.join("ann")
		b.say(ann, "held") // the room is not loaded
		b.say(ann, "held too")
		if n := b.set.Pending(); n != 3 {
			t.Errorf("got %d pending, want 3", n)
		}
		b.set.Close()
		a.take()
		if b.set.Post(0, Command{Kind: Say, Member: ann}) {
			t.Error("a closed Set takes a message")
		}
		_, other := b.join("bob")
		if got := other.take(); len(got) != 1 || got[0].Code != "unavailable" {
			t.Errorf("got %v, want unavailable", got)
		}
		b.load()
		b.do(Command{Kind: Leave, Member: ann})
		b.set.Order(0, Ordered{Epoch: 1, N: 1, Messages: []Placed{{Room: "r", Epoch: 1, Seq: 1, Body: frame.Get(1)}}})
		b.set.Settle(0, "r", 1, false, 0, 0)
		b.set.Reload(0, 0)
		b.set = NewSet(Config{Now: b.set.cfg.Now}, nil, nil, nil) // for inBubble to close
	})
}

// heard is an Outlet that tells of each answer.
type heard struct{ answers chan struct{} }

func (h *heard) Send(p Payload) bool {
	if !bytes.Contains(p.Bytes(), []byte(`"type":"presence"`)) {
		h.answers <- struct{}{}
	}
	return true
}

// TestSet_LosesNoWake has goroutines that each wait for the answer to their last
// command before they give the next, so that a turn that nobody takes stops one.
func TestSet_LosesNoWake(t *testing.T) {
	const each = 3000
	start := time.Now()
	set := NewSet(Config{Shards: 1, Now: func() int64 { return int64(time.Since(start)) + 1 }, KeepRooms: true}, nil, nil, nil)
	var all sync.WaitGroup
	for i := range 6 {
		all.Go(func() {
			room := fmt.Sprint("room", i)
			h := &heard{answers: make(chan struct{}, 1)}
			m := NewMember(&Client{User: room, Name: "n", Out: h}, room)
			set.Post(0, Command{Kind: Join, Member: m})
			set.Work(0)
			<-h.answers
			for n := range each {
				if !set.Post(0, Command{Kind: Users, Member: m, Limit: 1}) {
					t.Error("refused")
					return
				}
				set.Work(0)
				select {
				case <-h.answers:
				case <-time.After(10 * time.Second):
					t.Errorf("goroutine %d: no answer to command %d", i, n)
					return
				}
			}
		})
	}
	all.Wait()
	set.Close()
}
