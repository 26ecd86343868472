package shard

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"
)

// watcher is an Outlet that counts what it is told of presence.
type watcher struct {
	now      *int64
	close    bool  // looks at all of what was sent, not only how it begins
	last     int64 // Unix ns of the last delta
	deltas   int
	tooOften int // deltas less than a second after the one before
	bytes    int
}

func (w *watcher) Send(p Payload) bool {
	delta, frame := []byte(`{"type":"presence"`), p.Bytes()
	w.bytes += len(frame)
	n := 0
	switch {
	case w.close:
		n = bytes.Count(frame, delta)
	case bytes.HasPrefix(frame[4:], delta): // after a header with a length of 16 bits
		n = 1
	}
	if n > 0 {
		w.deltas += n
		if n > 1 || *w.now-w.last < int64(largeDelay) {
			w.tooOften++
		}
		w.last = *w.now
	}
	return true
}

// storm is a crowd that comes into one room, or goes, a thousand a tenth of a second.
type storm struct {
	*testing.T
	now      int64
	shard    *Shard
	watchers []*watcher
	members  []*Member
}

func (s *storm) each(do func(i int) Command) {
	for i := range s.members {
		s.shard.Step(s.now, do(i))
		if i%1000 == 999 {
			s.pass(100 * time.Millisecond)
		}
	}
}

// pass lets time go by, with a turn whenever the shard wants one, and returns how
// many there were.
func (s *storm) pass(d time.Duration) (turns int) {
	for end := s.now + int64(d); ; turns++ {
		next := s.shard.EndTurn(s.now)
		if s.now == end {
			return turns
		}
		s.now = min(next, end)
	}
}

// TestRoom_PresenceStorm: 19,000 join one room. Each is told of others at most
// once a second, in the end of all, and what that costs grows as their number does.
func TestRoom_PresenceStorm(t *testing.T) {
	const crowd = 19000
	s := &storm{T: t, now: time.Unix(1_700_000_000, 0).UnixNano()}
	cfg := Config{Shards: 1, Epoch: 1, Grace: 2 * time.Second, Now: func() int64 { return s.now }}.withDefaults()
	s.shard = newShard(&cfg, 0, nil, nil, nil)
	defer s.shard.Close()
	for i := range crowd {
		w := &watcher{now: &s.now, close: i == 0}
		name := fmt.Sprintf("user%05d", i*7919%crowd)
		s.watchers = append(s.watchers, w)
		s.members = append(s.members, NewMember(&Client{User: name, Name: name, Out: w}, "r"))
	}
	var allocated [3]uint64 // at the start, the half and the end of the joins
	allocated[0] = totalAlloc()
	s.each(func(i int) Command {
		if i == crowd/2 {
			allocated[1] = totalAlloc()
		}
		return Command{Kind: Join, Member: s.members[i]}
	})
	allocated[2] = totalAlloc()
	if first, second := allocated[1]-allocated[0], allocated[2]-allocated[1]; second > 2*first {
		t.Errorf("the first half of the joins allocated %d bytes, the second %d", first, second)
	}
	r := s.shard.rooms["r"]
	turns := s.pass((crowd/deltaNames + 5) * time.Second)
	if turns > crowd/deltaNames+20 {
		t.Errorf("%d turns were wanted", turns)
	}
	s.told(crowd)
	if len(r.people.sorted) != crowd || r.people.changes != nil {
		t.Errorf("%d people, %d changes", len(r.people.sorted), len(r.people.changes))
	}
	s.shuffleOut(r)
}

// shuffleOut has all but the first hundred vanish.
func (s *storm) shuffleOut(r *room) {
	gone := func(i int) bool { return i >= 100 }
	s.each(func(i int) Command {
		if !gone(i) {
			return Command{Kind: Typing, Member: s.members[i]}
		}
		return Command{Kind: Gone, Member: s.members[i]}
	})
	s.pass(4 * time.Second)
	if len(r.people.leaving) != 0 || len(r.members) != 100 || len(r.people.sorted) != 100 {
		s.Errorf("%d leaving, %d members, %d people", len(r.people.leaving), len(r.members), len(r.people.sorted))
	}
	s.pass(time.Minute)
	if r.people.changes != nil || len(r.people.byID) != 100 {
		s.Errorf("%d changes, %d people remembered", len(r.people.changes), len(r.people.byID))
	}
}

// told checks what everybody was told.
func (s *storm) told(crowd int) {
	for i, w := range s.watchers {
		if w.tooOften > 0 || w.deltas > crowd/deltaNames+1 {
			s.Fatalf("member %d: %d deltas, %d of them too soon", i, w.deltas, w.tooOften)
		}
	}
	first, last := s.watchers[0], s.watchers[crowd-1]
	if first.deltas != crowd/deltaNames {
		s.Errorf("the first member got %d deltas, want %d", first.deltas, crowd/deltaNames)
	}
	s.Logf("the first member got %d deltas, %d bytes in all, the last %d and %d", first.deltas, first.bytes, last.deltas, last.bytes)
}

func totalAlloc() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
