package shard

import (
	"fmt"
	"nebula/frame"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestPartition_IsTheSameEverywhere(t *testing.T) {
	for room, want := range map[string]int{"": 1, "lobby": 5, "日本": 36, "general": 29} {
		if got := Partition(room, 64); got != want {
			t.Errorf("%q: got %d, want %d", room, got, want)
		}
	}
	var counts [64]int
	for i := range 64000 {
		counts[Partition(fmt.Sprint("room", i), 64)]++
	}
	for i, n := range counts {
		if n < 800 || n > 1200 {
			t.Errorf("%d of 64,000 rooms are in shard %d", n, i)
		}
	}
}

// sequencer is a Relay that puts in order what it takes, on a goroutine of its own.
type sequencer struct {
	taker
	drafts chan Placed
}

func (s *sequencer) Publish(e Envelope) Verdict {
	body := frame.EncodeMessage(e.Room, e.Body.ID(), e.User.ID, e.User.Name, e.Body.Text())
	select {
	case s.drafts <- Placed{Room: e.Room, Epoch: 1, Hash: e.Hash, Body: body}:
		return Taken
	default:
		body.Release()
		return Full
	}
}

// run brings what was taken to set, a few in an entry.
func (s *sequencer) run(set *Set, shard int) {
	o := Ordered{Epoch: 1}
	seq := uint64(0)
	for p := range s.drafts {
		seq++
		p.Seq, p.Milli = seq, int64(seq)
		p.Body.Stamp(p.Seq, p.Milli)
		o.Messages = append(o.Messages, p)
		if len(o.Messages) == 7 || len(s.drafts) == 0 {
			o.N++
			set.Order(shard, o)
			clear(o.Messages)
			o.Messages = o.Messages[:0]
		}
	}
}

// TestSet_OneOrderByARelay has a Relay that answers on a goroutine of its own.
func TestSet_OneOrderByARelay(t *testing.T) {
	clock := atomic.Int64{}
	relay := &sequencer{drafts: make(chan Placed, talkers*talkEach)}
	set := NewSet(Config{
		Shards: 2, Places: make([]Pos, 2), KeepRooms: true, Now: func() int64 { return clock.Add(1000) },
	}, nil, nil, relay)
	var bus sync.WaitGroup
	bus.Go(func() { relay.run(set, set.Of("r")) })
	oneOrder(t, set, func() {
		close(relay.drafts)
		bus.Wait()
	})
}

func TestSet_OneOrder(t *testing.T) {
	clock := atomic.Int64{}
	set := NewSet(Config{Shards: 2, Now: func() int64 { return clock.Add(1000) }, KeepRooms: true}, nil, nil, nil)
	oneOrder(t, set, func() {})
	if got := set.Stats().Accepted; got != talkers*talkEach {
		t.Errorf("got %d accepted, want %d", got, talkers*talkEach)
	}
}

const talkers, talkEach = 4, 500

// oneOrder has several goroutines talk in one room at once. Each member must see all of
// it in one order, and have its acks. quiet is called before the Set is closed.
func oneOrder(t *testing.T, set *Set, quiet func()) {
	t.Helper()
	shard := set.Of("r")
	screens, members := make([]*screen, talkers), make([]*Member, talkers)
	for i := range talkers {
		screens[i] = &screen{}
		members[i] = NewMember(&Client{User: fmt.Sprint(i), Name: "n", Out: screens[i]}, "r")
		set.Post(shard, Command{Kind: Join, Member: members[i]})
		set.Work(shard)
	}
	var all sync.WaitGroup
	for _, m := range members {
		all.Go(func() {
			for n := range talkEach {
				id := []byte(fmt.Sprint(n))
				body := frame.EncodeMessage("r", id, m.client.User, "n", []byte("t"))
				if !set.Post(shard, Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, id), Read: 1}) {
					body.Release()
					t.Error("refused")
				}
				set.Work(shard)
			}
		})
	}
	all.Wait()
	for deadline := time.Now().Add(10 * time.Second); set.Pending() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	quiet()
	set.Close()
	for i, s := range screens {
		acks, last := 0, uint64(0)
		for _, one := range s.take() {
			switch {
			case one.Type == "ack":
				acks++
			case one.Type == "message" && one.Seq != last+1:
				t.Fatalf("member %d: seq %d after %d", i, one.Seq, last)
			case one.Type == "message":
				last = one.Seq
			}
		}
		if acks != talkEach || last != talkers*talkEach {
			t.Errorf("member %d: %d acks and messages to %d, want %d and %d", i, acks, last, talkEach, talkers*talkEach)
		}
	}
}
