package shard

import (
	"fmt"
	"nebula/frame"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// mute is an Outlet that takes everything and keeps nothing.
type mute struct{ sends int }

func (o *mute) Send(Payload) bool { o.sends++; return true }

// instant is a Journal that is told to commit, and a History that has nothing.
type instant struct{ last Record }

func (j *instant) Append(r Record) bool {
	j.last = r
	r.Body.Release()
	return true
}

func (j *instant) Replay(Request) bool { return true }

// hall is a shard with one room full of members, of whom the first talks.
type hall struct {
	now     int64
	shard   *Shard
	journal *instant
	members []*Member
	id      []byte
	sent    int
}

func newHall(tb testing.TB, members int) *hall {
	h := &hall{now: time.Unix(1_700_000_000, 0).UnixNano(), journal: &instant{}}
	cfg := Config{Shards: 1, Epoch: 1, Now: func() int64 { return h.now }}.withDefaults()
	h.shard = newShard(&cfg, 0, h.journal, h.journal, nil)
	tb.Cleanup(h.shard.Close)
	for i := range members {
		name := fmt.Sprintf("user%05d", i)
		m := NewMember(&Client{User: name, Name: name, Out: &mute{}}, "r")
		h.members = append(h.members, m)
		h.shard.Step(h.now, Command{Kind: Join, Member: m})
		if i == 0 {
			h.shard.Step(h.now, Command{Kind: replayed, answer: &Answer{Request: Request{Room: "r"}}})
		}
	}
	for m := 0; m < members; m += deltaNames { // presence is told
		h.now += int64(2 * time.Second)
		h.shard.EndTurn(h.now)
	}
	return h
}

// say has n messages of 128 bytes said in one turn, and committed in the next.
func (h *hall) say(n int) {
	h.now += int64(time.Second)
	for range n {
		h.shard.Step(h.now, h.message())
	}
	h.shard.EndTurn(h.now)
	h.shard.Step(h.now, Command{Kind: committed, name: "r", Epoch: h.journal.last.Epoch, After: h.journal.last.Seq})
	h.shard.EndTurn(h.now)
}

// farHall is a Runner, without its goroutine, in a cluster with one room full of members,
// of whom the first talks, and somebody elsewhere as much.
type farHall struct {
	runner *Runner
	now    int64
	member *Member
	id     []byte
	seq    uint64
	entry  Ordered
}

// taker is a Relay that takes everything.
type taker struct{}

func (taker) Publish(Envelope) Verdict               { return Taken }
func (taker) Presence(int, string, frame.User, bool) {}
func (taker) Typing(int, string, frame.User)         {}
func (taker) Elsewhere(int, string) []frame.User     { return nil }

func newFarHall(members int) *farHall {
	h := &farHall{now: time.Unix(1_700_000_000, 0).UnixNano(), entry: Ordered{Epoch: 1}}
	journal := &instant{}
	cfg := Config{Shards: 1, Epoch: 1, Places: make([]Pos, 1), Now: func() int64 { return h.now }}.withDefaults()
	h.runner = newRunner(newShard(&cfg, 0, journal, journal, taker{}))
	close(h.runner.ended)
	for i := range members {
		name := fmt.Sprintf("user%05d", i)
		m := NewMember(&Client{User: name, Name: name, Out: &mute{}}, "r")
		h.runner.post(&Command{Kind: Join, Member: m})
		if h.member == nil {
			h.member = m
			h.runner.post(&Command{Kind: replayed, answer: &Answer{Request: Request{Room: "r"}}})
		}
	}
	h.runner.work()
	return h
}

// say has n messages said, each placed behind one of somebody elsewhere, and committed.
func (h *farHall) say(n int) {
	h.entry.Messages = h.entry.Messages[:0]
	for range n {
		h.place("elsewhere")
		user := h.member.client.User
		h.place(user)
		body := frame.EncodeMessage("r", h.id, user, user, text)
		h.runner.post(&Command{Kind: Say, Member: h.member, Body: body, Hash: frame.Hash(user, h.id), Read: h.now})
	}
	h.runner.work()
	h.entry.N++
	h.runner.postEntry(&h.entry)
	h.runner.work()
	h.runner.post(&Command{Kind: committed, name: "r", Epoch: 1, After: h.seq})
	h.runner.work()
}

// place adds the next message to the entry.
func (h *farHall) place(user string) {
	h.seq++
	h.id = strconv.AppendUint(h.id[:0], h.seq, 10)
	body := frame.EncodeMessage("r", h.id, user, user, text)
	body.Stamp(h.seq, h.now/1e6)
	h.entry.Messages = append(h.entry.Messages, Placed{
		Room: "r", Epoch: 1, Seq: h.seq, Milli: h.now / 1e6, Hash: frame.Hash(user, h.id), Body: body, Read: h.now,
	})
}

// BenchmarkRunner_Order is a message that goes to the bus and one that comes from elsewhere,
// both sent to one member, committed and the first one acked.
func BenchmarkRunner_Order(b *testing.B) {
	h := newFarHall(1)
	defer h.runner.close()
	b.ReportAllocs()
	for b.Loop() {
		h.say(1)
	}
}

var text = make([]byte, 128)

func (h *hall) message() Command {
	h.sent++
	h.id = strconv.AppendInt(h.id[:0], int64(h.sent), 10)
	m := h.members[0]
	body := frame.EncodeMessage("r", h.id, m.client.User, m.client.Name, text)
	return Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, h.id), Read: h.now}
}

// BenchmarkStep_Say is a message encoded, stepped, sent to one member, committed and acked.
func BenchmarkStep_Say(b *testing.B) {
	h := newHall(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		h.say(1)
	}
}

// BenchmarkStep_SayInTurnsOf16 is the same for 16 messages at once.
func BenchmarkStep_SayInTurnsOf16(b *testing.B) {
	h := newHall(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		h.say(16)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/16, "ns/message")
}

// BenchmarkEndTurn_FanOut is the same for many members; an Outlet costs nothing.
func BenchmarkEndTurn_FanOut(b *testing.B) {
	for _, members := range []int{100, 1000, 15000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			h := newHall(b, members)
			b.ReportAllocs()
			for b.Loop() {
				h.say(1)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(members), "ns/delivery")
		})
	}
}

// BenchmarkJoin is joins of rooms of many members, each told apart.
func BenchmarkJoin(b *testing.B) {
	for _, members := range []int{100, 1000, 15000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			h := newHall(b, members)
			n := 0
			b.ReportAllocs()
			for b.Loop() {
				n++
				name := fmt.Sprintf("user%05d-%d", n*7919%members, n)
				m := NewMember(&Client{User: name, Name: name, Out: &mute{}}, "r")
				h.shard.Step(h.now, Command{Kind: Join, Member: m})
				h.shard.Step(h.now, Command{Kind: Leave, Member: m})
			}
		})
	}
}

// BenchmarkMember tells the memory of an idle member of a room of 15,000 and of
// rooms of 10: everything of this package's, but no strings, which the gateway makes.
func BenchmarkMember(b *testing.B) {
	for _, size := range []int{10, 15000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(memberBytes(b, size), "B/member")
			}
		})
	}
}

// memberBytes is the heap that one of 15,000 members takes, in rooms of so many.
func memberBytes(tb testing.TB, size int) float64 {
	const count = 15000
	now := time.Unix(1_700_000_000, 0).UnixNano()
	cfg := Config{Shards: 1, Epoch: 1, Now: func() int64 { return now }}.withDefaults()
	rooms, users := make([]string, count/size), make([]string, count)
	for i := range users {
		users[i] = fmt.Sprintf("user%05d", i)
		rooms[i/size] = fmt.Sprintf("room%05d", i/size)
	}
	out := &mute{}
	before := heapInUse()
	shard := newShard(&cfg, 0, nil, nil, nil)
	for i, user := range users {
		m := NewMember(&Client{User: user, Name: user, Out: out}, rooms[i/size])
		shard.Step(now, Command{Kind: Join, Member: m})
	}
	for range count/deltaNames + 2 {
		now += int64(2 * time.Second)
		shard.EndTurn(now)
	}
	used := heapInUse() - before
	if got := shard.members.Load(); got != count {
		tb.Fatalf("got %d members, want %d", got, count)
	}
	shard.Close()
	return float64(used) / count
}

func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what sync.Pool kept over the first goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
