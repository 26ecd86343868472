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

// TestSet_OneOrderByARelay has several goroutines talk in one room at once, and a Relay
// that answers on another.
func TestSet_OneOrderByARelay(t *testing.T) {
	const senders, each = 4, 500
	clock := atomic.Int64{}
	relay := &sequencer{drafts: make(chan Placed, senders*each)}
	set := NewSet(Config{
		Shards: 2, Places: make([]Pos, 2), KeepRooms: true, Now: func() int64 { return clock.Add(1000) },
	}, nil, nil, relay)
	shard := set.Of("r")
	var all, bus sync.WaitGroup
	bus.Go(func() { relay.run(set, shard) })
	screens := make([]*screen, senders)
	for i := range senders {
		screens[i] = &screen{}
		m := NewMember(&Client{User: fmt.Sprint(i), Name: "n", Out: screens[i]}, "r")
		set.Post(shard, Command{Kind: Join, Member: m})
		set.Work(shard)
		all.Go(func() {
			for n := range each {
				id := []byte(fmt.Sprint(n))
				body := frame.EncodeMessage("r", id, m.client.User, "n", []byte("t"))
				set.Post(shard, Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, id), Read: clock.Load()})
				set.Work(shard)
			}
		})
	}
	all.Wait()
	for deadline := time.Now().Add(10 * time.Second); set.Pending() > 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	close(relay.drafts)
	bus.Wait()
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
		if acks != each || last != senders*each {
			t.Errorf("member %d: %d acks and messages to %d, want %d and %d", i, acks, last, each, senders*each)
		}
	}
}
