package crowd

import (
	"fmt"
	"math/rand/v2"
	"nebula/perf/fault/verdict"
	"sync"
	"sync/atomic"
	"time"
)

// Config says who the members are and where they connect.
type Config struct {
	Rooms   int
	Senders int // spread over the rooms; they read as well
	Readers int // in each room, besides; every other one comes and goes
	Window  int // messages of a sender without an ack
	Rate    int // messages a second, if all rooms were loud
	Seed    uint64
	Addr    func(member int) string       // where to connect now; "" nowhere
	StartOf func(node string) (int, bool) // the start of the server that a welcome tells
}

// phase is what all members do.
type phase = int32

const (
	flooding  phase = iota // send, come and go
	resending              // send nothing new
	settling               // leave when everything was seen
	stopped                // leave
)

// Crowd is all members.
type Crowd struct {
	// Static after construction.
	cfg     Config
	members []*member

	// Atomic; written by the caller, read by members.
	phase atomic.Int32
	ends  atomic.Pointer[map[string]uint64] // settling: the newest seq of each room

	// Atomic; written by members.
	unacked  atomic.Int64 // messages
	sent     atomic.Int64 // messages, each once
	resends  atomic.Int64 // of messages without an ack
	repeats  atomic.Int64 // of messages that have one
	connects atomic.Int64
	refusals atomic.Int64

	// Guarded by mu; written by members.
	mu     sync.Mutex
	acks   map[string][]verdict.Ack // by room
	fresh  map[string]time.Time     // by room: when the newest message with an ack was written
	stays  []stay                   // by member; behind them those of inspectors
	faults verdict.Faults

	pen     sync.RWMutex // held for reading by who writes new messages
	running sync.WaitGroup
}

// Counts is what the members did.
type Counts struct {
	Sent     int64 `json:"sent"`    // messages, each counted once
	Resends  int64 `json:"resends"` // of messages without an ack
	Repeats  int64 `json:"repeats"` // of messages that have one
	Connects int64 `json:"connects"`
	Refusals int64 `json:"refusals"` // busy, unavailable and the like
}

// Room is the name of room n.
func Room(n int) string { return fmt.Sprintf("room-%d", n) }

// New makes the members; Go starts them.
func New(cfg Config) *Crowd {
	c := &Crowd{
		cfg: cfg, acks: make(map[string][]verdict.Ack), fresh: make(map[string]time.Time),
		stays: make([]stay, cfg.Senders+cfg.Readers*cfg.Rooms),
	}
	for n := range cfg.Senders + cfg.Readers*cfg.Rooms {
		m := &member{
			crowd: c, number: n, room: Room(n % cfg.Rooms), writes: n < cfg.Senders,
			quiet:  n%cfg.Rooms%2 == 1,
			chance: rand.New(rand.NewPCG(cfg.Seed, uint64(n))),
			asked:  make(map[string]time.Time),
		}
		m.roams = !m.writes && (n-cfg.Senders)/cfg.Rooms%2 == 1
		m.name = fmt.Sprintf("reader-%d", n)
		if m.writes {
			m.name = fmt.Sprintf("sender-%d", n)
		}
		m.tape = verdict.Tape{Client: m.name, Room: m.room}
		c.members = append(c.members, m)
	}
	return c
}

// Go starts all members.
func (c *Crowd) Go() {
	for _, m := range c.members {
		c.running.Go(m.run)
	}
}

// Calm has the senders send nothing new: when it returns, Unacked counts all.
func (c *Crowd) Calm() {
	c.pen.Lock()
	defer c.pen.Unlock()
	c.phase.CompareAndSwap(flooding, resending)
}

// Unacked is how many messages have no ack yet.
func (c *Crowd) Unacked() int64 { return c.unacked.Load() }

// Settle lets members leave who have seen their room up to its end; Wait waits for them.
func (c *Crowd) Settle(ends map[string]uint64) {
	c.ends.Store(&ends)
	c.phase.Store(settling)
}

// Wait waits until every member left; those who do not in time are made to.
func (c *Crowd) Wait(within time.Duration) {
	late := time.AfterFunc(within, func() { c.phase.Store(stopped) })
	defer late.Stop()
	c.running.Wait()
}

// Stop makes every member leave, and waits.
func (c *Crowd) Stop() { c.phase.Store(stopped); c.running.Wait() }

// Counts tells what was done up to now.
func (c *Crowd) Counts() Counts {
	return Counts{
		Sent: c.sent.Load(), Resends: c.resends.Load(), Repeats: c.repeats.Load(),
		Connects: c.connects.Load(), Refusals: c.refusals.Load(),
	}
}

// Acked returns the acks of a room up to now. The slice may be read, and holds no later ones.
func (c *Crowd) Acked(room string) []verdict.Ack {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.acks[room]
	return all[:len(all):len(all)]
}

// Faults returns what members could not go on with.
func (c *Crowd) Faults() verdict.Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
}

// Fresh returns when that message of a room was written, of those that have an ack,
// which was written last.
func (c *Crowd) Fresh(room string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fresh[room]
}

func (c *Crowd) written(room string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.After(c.fresh[room]) {
		c.fresh[room] = at
	}
}

func (c *Crowd) acked(a verdict.Ack) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acks[a.Room] = append(c.acks[a.Room], a)
}

func (c *Crowd) broken(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults.Add(verdict.Broken, format, args...)
}

// Record puts together what all members know; they must have left.
func (c *Crowd) Record() *verdict.Record {
	rec := &verdict.Record{Sent: make(map[verdict.Key]verdict.Sent)}
	for _, m := range c.members {
		for order, l := range m.letters {
			rec.Sent[verdict.Key{Room: m.room, User: m.user, ID: l.id}] = verdict.Sent{
				Text: l.text, Order: order, Refused: l.refused,
			}
		}
		rec.Tapes = append(rec.Tapes, m.tape)
	}
	for n := range c.cfg.Rooms {
		rec.Acks = append(rec.Acks, c.acks[Room(n)]...)
	}
	return rec
}
