package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"nebula/frame"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
		if n := frame.Live(); n != 0 {
			fmt.Fprintf(os.Stderr, "%d Bufs left over\n", n)
			code = 1
		}
	}
	os.Exit(code)
}

// screen is an Outlet that keeps what a client would see.
type screen struct {
	mu  sync.Mutex
	all []byte
}

func (s *screen) Send(p Payload) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, p.Bytes()...)
	return true
}

type shown struct {
	Type, Code, ID, Text string
	Seq                  uint64
	Count                int
	Complete, More       bool
	Messages             []shown
	Joined, Left         []struct{ User string }
}

// take returns what came since the last take.
func (s *screen) take(t *testing.T) (out []shown) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := bytes.NewReader(s.all)
	for r.Len() > 0 {
		f, err := ws.ReadFrame(r) //nolint:staticcheck // the bytes are our own, in memory
		if err != nil {
			t.Fatal(err)
		}
		var one shown
		if err := json.Unmarshal(f.Payload, &one); err != nil {
			t.Fatalf("%v in %q", err, f.Payload)
		}
		out = append(out, one)
	}
	s.all = nil
	return out
}

// store is a Journal and History in memory; full refuses.
type store struct {
	full     bool
	records  []Record
	requests []Request
}

func (s *store) Append(r Record) bool {
	if !s.full {
		s.records = append(s.records, r)
		r.Body.Release()
	}
	return !s.full
}

func (s *store) Replay(q Request) bool {
	s.requests = append(s.requests, q)
	return true
}

// here is the Relay of one machine.
type here struct{}

func (here) Publish(Envelope) Verdict { return Here }

// world is one shard with a clock.
type world struct {
	t     *testing.T
	now   int64
	store store
	*Shard
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Unix(1_700_000_000, 0).UnixNano()}
	cfg := &Config{Epoch: 2, Epochs: []uint64{1, 2}, Now: func() int64 { return w.now }, Grace: 2 * time.Second, SendBytes: 1 << 20}
	w.Shard = newShard(cfg, 0, &w.store, &w.store, here{})
	t.Cleanup(w.Close)
	return w
}

func (w *world) do(cmd Command) {
	w.Step(w.now, cmd)
	w.EndTurn(w.now)
}

func (w *world) pass(d time.Duration) {
	w.now += int64(d)
	w.EndTurn(w.now)
}

// enter joins user to room r; a cold room is loaded from stored.
func (w *world) enter(user string, stored Answer) (*Member, *screen) {
	s := &screen{}
	m := NewMember(&Client{User: user, Name: user, Out: s}, "r")
	w.do(Command{Kind: Join, Member: m})
	if m.State() == Pending {
		stored.Room = "r"
		w.do(Command{Kind: replayed, answer: &stored})
	}
	return m, s
}

func (w *world) say(m *Member, id string) {
	body := frame.EncodeMessage("r", []byte(id), m.client.User, m.client.Name, []byte("text "+id))
	w.do(Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, []byte(id)), Read: w.now})
}

func (w *world) want(s *screen, want ...string) {
	w.t.Helper()
	var got []string
	for _, one := range s.take(w.t) {
		line := one.Type
		switch one.Type {
		case "message", "ack":
			line += fmt.Sprintf(" %s %d", one.ID, one.Seq)
		case "error":
			line += " " + one.Code + " " + one.ID
		case "presence":
			line += fmt.Sprintf(" %d +%d -%d", one.Count, len(one.Joined), len(one.Left))
		case "joined":
			line += fmt.Sprintf(" %d %d %v", one.Seq, len(one.Messages), one.Complete)
		}
		got = append(got, line)
	}
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		w.t.Fatalf("\ngot  %q\nwant %q", got, want)
	}
}

func TestShard_SayIsSeenThenAckedWhenCommitted(t *testing.T) {
	w := newWorld(t)
	ann, a := w.enter("ann", Answer{})
	w.want(a, "joined 0 0 true")
	_, b := w.enter("bob", Answer{})
	w.want(b, "joined 0 0 true")
	w.pass(time.Second)
	w.want(a, "presence 2 +2 -0")
	w.want(b, "presence 2 +2 -0")
	w.say(ann, "x")
	w.want(a, "message x 1")
	w.want(b, "message x 1")
	w.say(ann, "x") // a resend: no second message, no ack yet
	w.want(b)
	w.do(Command{Kind: committed, name: "r", After: 1})
	w.want(a, "ack x 1", "ack x 1")
	w.say(ann, "x")
	w.want(a, "ack x 1")
	if len(w.store.records) != 1 || w.store.records[0].Seq != 1 || w.store.records[0].Epoch != 2 {
		t.Fatalf("journal: %+v", w.store.records)
	}
}

func TestShard_BusySpendsNoSeq(t *testing.T) {
	w := newWorld(t)
	ann, a := w.enter("ann", Answer{})
	w.store.full = true
	w.say(ann, "x")
	w.store.full = false
	w.say(ann, "y")
	w.want(a, "joined 0 0 true", "error busy x", "message y 1")
}

func TestShard_LateCommitIsToldThenAcked(t *testing.T) {
	w := newWorld(t)
	ann, a := w.enter("ann", Answer{})
	w.say(ann, "x")
	a.take(t)
	w.pass(5 * time.Second)
	w.want(a, "error internal x", "presence 1 +1 -0")
	w.pass(5 * time.Second)
	w.want(a)
	w.do(Command{Kind: committed, name: "r", After: 1})
	w.want(a, "ack x 1")
}

func TestShard_GraceHidesAShortLoss(t *testing.T) {
	w := newWorld(t)
	_, a := w.enter("ann", Answer{})
	bob, _ := w.enter("bob", Answer{})
	w.pass(time.Second)
	a.take(t)
	w.do(Command{Kind: Gone, Member: bob})
	w.pass(time.Second)
	bob, _ = w.enter("bob", Answer{})
	w.pass(5 * time.Second)
	w.want(a)
	w.do(Command{Kind: Gone, Member: bob})
	w.pass(3 * time.Second)
	w.pass(time.Second)
	w.want(a, "presence 1 +0 -1")
}

func TestShard_ResumeOverEpochs(t *testing.T) {
	w := newWorld(t)
	stored := Answer{Last: Pos{1, 3}}
	for seq := uint64(1); seq <= 3; seq++ {
		b := frame.EncodeMessage("r", fmt.Appendf(nil, "old%d", seq), "u", "n", []byte("t"))
		b.Stamp(seq, 1)
		stored.Messages, stored.Epochs = append(stored.Messages, b), append(stored.Epochs, 1)
	}
	ann, a := w.enter("ann", stored)
	w.want(a, "joined 3 3 true")
	w.say(ann, "new")
	w.want(a, "message new 4")
	for _, one := range []struct {
		epoch, after uint64
		want         string
	}{
		{1, 2, "joined 4 2 true"},
		{1, 3, "joined 4 1 true"},
		{1, 4, "joined 4 4 false"}, // seen before the restart, never committed
		{2, 4, "joined 4 0 true"},
		{2, 5, "joined 4 4 false"},
		{9, 2, "joined 4 4 false"},
	} {
		w.do(Command{Kind: Join, Member: ann, HasPos: true, Epoch: one.epoch, After: one.after})
		w.want(a, one.want)
	}
}

func TestShard_RoomThatDoesNotLoad(t *testing.T) {
	w := newWorld(t)
	s := &screen{}
	m := NewMember(&Client{User: "ann", Name: "ann", Out: s}, "r")
	w.do(Command{Kind: Join, Member: m})
	w.do(Command{Kind: replayed, answer: &Answer{Request: Request{Room: "r"}, Err: os.ErrInvalid}})
	w.pass(5 * time.Second)
	w.want(s, "error unavailable ")
	if m.State() != Out {
		t.Fatalf("state %v, want Out", m.State())
	}
}

// TestSet_OneOrder has several goroutines post at once.
func TestSet_OneOrder(t *testing.T) {
	const senders, each = 4, 500
	clock := atomic.Int64{}
	set := NewSet(Config{Shards: 2, Now: func() int64 { return clock.Add(1000) }, KeepRooms: true}, nil, nil, here{})
	screens := make([]*screen, senders)
	var all sync.WaitGroup
	for i := range senders {
		screens[i] = &screen{}
		m := NewMember(&Client{User: fmt.Sprint(i), Name: "n", Out: screens[i]}, "r")
		shard := set.Of("r")
		set.Post(shard, Command{Kind: Join, Member: m})
		set.Work(shard)
		all.Go(func() {
			for n := range each {
				id := []byte(fmt.Sprint(n))
				body := frame.EncodeMessage("r", id, m.client.User, "n", []byte("t"))
				if !set.Post(shard, Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, id), Read: 1}) {
					body.Release()
				}
				set.Work(shard)
			}
		})
	}
	all.Wait()
	for deadline := time.Now().Add(10 * time.Second); set.Stats().Accepted < senders*each && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	set.Close()
	if got := set.Stats().Accepted; got != senders*each {
		t.Fatalf("%d accepted, want %d", got, senders*each)
	}
	for i, s := range screens {
		last := uint64(0)
		for _, one := range s.take(t) {
			if one.Type != "message" {
				continue
			}
			if last != 0 && one.Seq != last+1 {
				t.Fatalf("member %d: seq %d after %d", i, one.Seq, last)
			}
			last = one.Seq
		}
		if last != senders*each {
			t.Fatalf("member %d: ends at %d, want %d", i, last, senders*each)
		}
	}
}
