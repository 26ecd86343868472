package persist

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"nebula/frame"
	"nebula/shard"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience bounds every wait; no test measures time with it.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		fmt.Fprintln(os.Stderr, child(dir))
		os.Exit(1)
	}
	testDisk.install()
	before := descriptors()
	code := m.Run()
	if code == 0 {
		if err := leaks(before); err != nil {
			fmt.Fprintln(os.Stderr, "left over:", err)
			code = 1
		}
	}
	os.Exit(code)
}

func leaks(before int) error {
	if err := goleak.Find(); err != nil {
		return err
	}
	if n := frame.Live(); n != 0 {
		return fmt.Errorf("%d frame.Bufs", n)
	}
	if after := descriptors(); after > before+2 { // Go's own poller opens two at first use
		return fmt.Errorf("%d descriptors", after-before)
	}
	return nil
}

func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	return len(entries)
}

// harness is a Store that is started, and what it told.
type harness struct {
	*Store
	t       *testing.T
	clock   *atomic.Int64 // Unix ns
	notices chan shard.Notice
	answers chan shard.Answer
}

// config is the default of these tests: a folder of its own and a clock that stands.
func config(t *testing.T) Config {
	t.Helper()
	return Config{Dir: t.TempDir()}
}

// start opens and starts a Store that is closed when the test ends.
func start(t *testing.T, cfg Config) *harness {
	t.Helper()
	h := open(t, cfg)
	h.start()
	return h
}

// open opens a Store without starting it.
func open(t *testing.T, cfg Config) *harness {
	t.Helper()
	h := &harness{
		t: t, clock: new(atomic.Int64), notices: make(chan shard.Notice, 100_000), answers: make(chan shard.Answer, 2000),
	}
	h.clock.Store(1_700_000_000_000 * 1e6)
	if cfg.Now == nil {
		cfg.Now = h.clock.Load
	}
	var err error
	if h.Store, err = Open(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.close)
	return h
}

func (h *harness) start() {
	h.Start(func(notices []shard.Notice) {
		for _, n := range notices {
			h.notices <- n
		}
	}, func(a shard.Answer) { h.answers <- a })
}

// close closes the Store; it must end cleanly. Again is allowed.
func (h *harness) close() {
	h.t.Helper()
	if h.Store == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := h.Close(ctx); err != nil {
		h.t.Errorf("close: %v", err)
	}
	h.Store = nil
}

// record makes message seq of a room; what it says follows from the arguments.
func (h *harness) record(room string, seq uint64) shard.Record {
	return record(room, h.Epoch(), seq, h.clock.Load()/1e6)
}

func record(room string, epoch, seq uint64, milli int64) shard.Record {
	id := fmt.Sprintf("id-%d", seq)
	user := fmt.Sprintf("user-%d", seq%3)
	body := frame.EncodeMessage(room, []byte(id), user, "name of "+user, []byte(text(room, seq)))
	body.Stamp(seq, milli)
	return shard.Record{
		Shard: 7, Room: room, Epoch: epoch, Seq: seq, Milli: milli, Hash: frame.Hash(user, []byte(id)),
		User: user, Name: "name of " + user, Body: body,
	}
}

func text(room string, seq uint64) string {
	return fmt.Sprintf("message \"%d\" in %s\n\x01", seq, room)
}

// say appends messages from..to of a room; none may be refused.
func (h *harness) say(room string, from, to uint64) {
	h.t.Helper()
	for seq := from; seq <= to; seq++ {
		if !h.Append(h.record(room, seq)) {
			h.t.Fatalf("message %d was refused", seq)
		}
	}
}

// await reads notices until the room is committed up to seq.
func (h *harness) await(room string, seq uint64) {
	h.t.Helper()
	for {
		select {
		case n := <-h.notices:
			if n.Shard != 7 {
				h.t.Fatalf("got shard %d, want 7", n.Shard)
			}
			if n.Room == room && n.Seq >= seq {
				return
			}
		case <-time.After(patience):
			h.t.Fatalf("no notice of %s up to %d", room, seq)
		}
	}
}

// ask asks and returns the answer, which must be none of an error.
func (h *harness) ask(req shard.Request) shard.Answer {
	h.t.Helper()
	if !h.Replay(req) {
		h.t.Fatal("the question was refused")
	}
	a := h.answer()
	if a.Err != nil {
		h.t.Fatal(a.Err)
	}
	return a
}

func (h *harness) answer() shard.Answer {
	h.t.Helper()
	select {
	case a := <-h.answers:
		return a
	case <-time.After(patience):
		h.t.Fatal("no answer")
		panic("unreachable")
	}
}

func (h *harness) load(room string) shard.Answer {
	h.t.Helper()
	return h.ask(shard.Request{Kind: shard.Load, Room: room})
}

// wantMessages checks that a's messages are from..to of the room, as record made
// them, and releases them.
func wantMessages(t *testing.T, a shard.Answer, epoch, from, to uint64) {
	t.Helper()
	if got, want := len(a.Messages), int(to+1-from); got != want || len(a.Epochs) != want {
		t.Errorf("got %d messages and %d epochs, want %d", got, len(a.Epochs), want)
	}
	for i, m := range a.Messages {
		want := record(a.Room, epoch, from+uint64(i), m.Milli())
		if got, want := string(m.Payload()), string(want.Body.Payload()); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if a.Epochs[i] != epoch {
			t.Errorf("message %d: got epoch %d, want %d", m.Seq(), a.Epochs[i], epoch)
		}
		want.Body.Release()
		m.Release()
	}
}

func release(a shard.Answer) {
	for _, m := range a.Messages {
		m.Release()
	}
}

func TestStore_RoundTrip(t *testing.T) {
	h := start(t, config(t))
	h.say("lobby", 1, 300)
	h.say("räume", 1, 3)
	h.await("räume", 3)
	a := h.load("lobby")
	if a.Last != (shard.Pos{Epoch: h.Epoch(), Seq: 300}) || !a.More || len(a.IDs) != 300 {
		t.Errorf("got last %v, more %v, %d ids", a.Last, a.More, len(a.IDs))
	}
	for i, seen := range a.IDs {
		rec := h.record("lobby", uint64(i+1))
		if want := (shard.Seen{Hash: rec.Hash, Seq: rec.Seq, Milli: rec.Milli}); seen != want {
			t.Fatalf("got id %+v, want %+v", seen, want)
		}
		rec.Body.Release()
	}
	wantMessages(t, a, h.Epoch(), 45, 300)
	wantMessages(t, h.load("räume"), h.Epoch(), 1, 3)
	if a := h.load("nobody was here"); a.More || len(a.Messages)+len(a.IDs) > 0 || a.Last != (shard.Pos{}) {
		t.Errorf("got %+v of a room that is not there", a)
	}
}

func TestStore_OlderPages(t *testing.T) {
	h := start(t, config(t))
	h.say("lobby", 1, 100)
	h.await("lobby", 100)
	page := func(before uint64, limit, bytes int) shard.Answer {
		return h.ask(shard.Request{Kind: shard.Older, Room: "lobby", Before: before, Limit: limit, MaxBytes: bytes, Token: "mine"})
	}
	a := page(51, 20, 1<<20)
	if !a.More || a.Token != "mine" {
		t.Errorf("got more %v, token %v", a.More, a.Token)
	}
	wantMessages(t, a, h.Epoch(), 31, 50)
	if a = page(21, 20, 1<<20); a.More {
		t.Error("there is more than everything")
	}
	wantMessages(t, a, h.Epoch(), 1, 20)
	if a = page(51, 20, 1); !a.More {
		t.Error("one message is not all")
	}
	wantMessages(t, a, h.Epoch(), 50, 50)
	release(page(1, 20, 1<<20))
}

func TestStore_RestartOpensAnEpochAndGoesOn(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	h.say("lobby", 1, 10)
	first := h.Epoch()
	h.close()
	h = start(t, cfg)
	if h.Epoch() <= first || len(h.Epochs()) != 2 || h.Epochs()[0] != first || h.Epochs()[1] != h.Epoch() {
		t.Errorf("got epochs %v after %d", h.Epochs(), first)
	}
	if rooms, messages := h.Counts(); rooms != 1 || messages != 10 {
		t.Errorf("got %d rooms and %d messages, want 1 and 10", rooms, messages)
	}
	a := h.load("lobby")
	if a.Last != (shard.Pos{Epoch: first, Seq: 10}) {
		t.Errorf("got last %v", a.Last)
	}
	wantMessages(t, a, first, 1, 10)
	h.say("lobby", 11, 12)
	h.await("lobby", 12)
	a = h.load("lobby")
	if got := a.Epochs[9:]; got[0] != first || got[1] != h.Epoch() || a.Messages[11].Seq() != 12 {
		t.Errorf("got epochs %v", got)
	}
	release(a)
}

func TestOpen_RefusesTheSecond(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	if _, err := Open(context.Background(), cfg); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v, want ErrLocked", err)
	}
	h.close()
	start(t, cfg)
}

func TestOpen_LeavesNothingElse(t *testing.T) {
	cfg := config(t)
	start(t, cfg).close()
	var names []string
	err := fs.WalkDir(os.DirFS(cfg.Dir), ".", func(path string, _ fs.DirEntry, err error) error {
		names = append(names, path)
		return err
	})
	if got := strings.Join(names, " "); err != nil || got != ". nebula.db nebula.lock" {
		t.Errorf("got %q, %v", got, err)
	}
}
