package bus

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
)

// memory is a node's rooms and database: it stores what it is given at once, and
// complains of what the ports do not allow.
type memory struct {
	t    *testing.T
	name string

	mu      sync.Mutex
	refuse  bool // Apply
	refused int
	places  map[int]Pos
	kept    map[int][]Kept
	stored  map[string]map[uint64]Pos // room -> hash -> its epoch and seq
	seqs    map[string]uint64         // room -> the newest seq
	answers map[string]Result         // room and hash -> the newest
	forked  int
	stale   []uint64
	newest  uint64 // see Newest
	typed   int
}

func newMemory(t *testing.T, name string) *memory {
	return &memory{
		t: t, name: name, places: map[int]Pos{}, kept: map[int][]Kept{}, stored: map[string]map[uint64]Pos{},
		seqs: map[string]uint64{}, answers: map[string]Result{},
	}
}

// Apply implements Rooms.
func (m *memory) Apply(e *Entry) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.refuse {
		m.refused++
		return false
	}
	place := m.places[e.Partition]
	if e.N != place.N+1 || e.Epoch < place.Epoch {
		m.t.Errorf("%s: entry %v follows on %v in partition %d", m.name, e.Pos, place, e.Partition)
	}
	m.places[e.Partition] = e.Pos
	for i := range e.Messages {
		m.take(e.Partition, e.Pos, e.Messages[i])
	}
	return true
}

// take stores a message, once; m.mu must be held.
func (m *memory) take(partition int, entry Pos, msg Message) {
	msg.Room, msg.User, msg.Name = strings.Clone(msg.Room), strings.Clone(msg.User), strings.Clone(msg.Name)
	msg.ID, msg.Text = strings.Clone(msg.ID), strings.Clone(msg.Text)
	room := m.stored[msg.Room]
	if room == nil {
		room = map[uint64]Pos{}
		m.stored[msg.Room] = room
	}
	if was, there := room[msg.Hash]; there {
		if !msg.Restored {
			m.t.Errorf("%s: message %s of room %s came as %d of epoch %d, and is there as %d of %d",
				m.name, msg.ID, msg.Room, msg.Seq, msg.Epoch, was.N, was.Epoch)
		}
		return
	}
	if !msg.Restored && msg.Seq <= m.seqs[msg.Room] {
		m.t.Errorf("%s: seq %d of room %s follows on %d", m.name, msg.Seq, msg.Room, m.seqs[msg.Room])
	}
	room[msg.Hash] = Pos{Epoch: msg.Epoch, N: msg.Seq}
	m.seqs[msg.Room] = max(m.seqs[msg.Room], msg.Seq)
	m.kept[partition] = append(m.kept[partition], Kept{Entry: entry, Message: msg})
}

// Answer implements Rooms.
func (m *memory) Answer(_ int, results []Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range results {
		m.answers[fmt.Sprint(r.Room, r.Hash)] = r
	}
}

// Forked implements Rooms: what came after common is taken back.
func (m *memory) Forked(partition int, common Pos) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.forked++
	all := m.kept[partition]
	n := len(all)
	for n > 0 && all[n-1].Entry.N > common.N {
		n--
		delete(m.stored[all[n].Room], all[n].Hash)
		m.answers[fmt.Sprint(all[n].Room, all[n].Hash)] = Result{} // whoever waits for the ack
	}
	for _, k := range all[n:] {
		m.seqs[k.Room] = 0
		for _, left := range all[:n] {
			if left.Room == k.Room {
				m.seqs[k.Room] = max(m.seqs[k.Room], left.Seq)
			}
		}
	}
	m.kept[partition] = slices.Clip(all[:n])
	m.places[partition] = common
}

// Stale implements Rooms.
func (m *memory) Stale(_ int, first uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stale = append(m.stale, first)
}

// Presence implements Rooms.
func (m *memory) Presence(int, []Change) {}

// Typing implements Rooms.
func (m *memory) Typing(int, string, string, string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.typed++
}

// Place implements Ledger.
func (m *memory) Place(partition int) Pos {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.places[partition]
}

// Newest implements Ledger.
func (m *memory) Newest(int) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.newest
}

// Stored implements Ledger.
func (m *memory) Stored(_ context.Context, partition int, after uint64, maxBytes int) ([]Kept, uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.kept[partition]
	first := len(all)
	since := max(after, m.places[partition].N)
	for size := 0; first > 0 && all[first-1].Entry.N > after; first-- {
		if size += len(all[first-1].Text) + 100; size > maxBytes && all[first-1].Entry.N != all[first].Entry.N {
			return slices.Clone(all[first:]), since, nil
		}
		since = all[first-1].Entry.N - 1
	}
	return slices.Clone(all[first:]), after, nil
}

// copyFrom makes m's database that of other, as a copy of a peer's would.
func (m *memory) copyFrom(other *memory) {
	other.mu.Lock()
	defer other.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.places, m.seqs = maps.Clone(other.places), maps.Clone(other.seqs)
	m.kept, m.stored = map[int][]Kept{}, map[string]map[uint64]Pos{}
	for p, kept := range other.kept {
		m.kept[p] = slices.Clone(kept)
	}
	for room, hashes := range other.stored {
		m.stored[room] = maps.Clone(hashes)
	}
}

// where returns the place of a message, and whether it is stored.
func (m *memory) where(room string, hash uint64) (Pos, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	pos, there := m.stored[room][hash]
	return pos, there
}

func (m *memory) setRefuse(refuse bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refuse = refuse
}

func (m *memory) counts() (forked, stale, refused int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.forked, len(m.stale), m.refused
}

// answer takes the newest answer for a message, if there is one.
func (m *memory) answer(room string, hash uint64) (Result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.answers[fmt.Sprint(room, hash)]
	delete(m.answers, fmt.Sprint(room, hash))
	return r, ok
}

// known returns what a Draft for the room says.
func (m *memory) known(partition int, room string) (floor, known uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seqs[room], m.places[partition].N
}

// line is a message in a room's history.
type line struct {
	epoch, seq uint64
	id, text   string
}

// history returns each room's messages as a reader pages through them.
func (m *memory) history() map[string][]line {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := map[string][]line{}
	for _, kept := range m.kept {
		for _, k := range kept {
			h[k.Room] = append(h[k.Room], line{k.Epoch, k.Seq, k.ID, k.Text})
		}
	}
	for _, lines := range h {
		slices.SortFunc(lines, func(a, b line) int {
			return cmp.Or(cmp.Compare(a.epoch, b.epoch), cmp.Compare(a.seq, b.seq))
		})
	}
	return h
}
