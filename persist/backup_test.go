package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"nebula/shard"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// copyOf returns a copy of what is stored.
func (h *harness) copyOf() []byte {
	h.t.Helper()
	var b bytes.Buffer
	if err := h.Backup(context.Background(), &b); err != nil {
		h.t.Fatal(err)
	}
	return b.Bytes()
}

// restoreTo makes a folder of a copy and returns how to open it.
func restoreTo(t *testing.T, r io.Reader) Config {
	t.Helper()
	cfg := clustered(t)
	cfg.Dir = filepath.Join(cfg.Dir, "made")
	if err := Restore(context.Background(), cfg.Dir, r); err != nil {
		t.Fatal(err)
	}
	return cfg
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

// appendUntil appends entries to partitions 0 to 3 until stop says so.
func (h *harness) appendUntil(next uint64, stop *atomic.Bool) {
	for n := next; !stop.Load(); n++ {
		for p := range 4 {
			for records := entryRecords(placed(p, n)); !h.AppendEntry(records, placed(p, n)); {
				if stop.Load() {
					releaseRecords(records)
					return
				}
				time.Sleep(time.Millisecond)
			}
		}
	}
}

// wantWhole has SQLite look at the whole database.
func (h *harness) wantWhole() {
	h.t.Helper()
	stmt, err := h.looker().Prepare("PRAGMA integrity_check")
	if err != nil {
		h.t.Fatal(err)
	}
	defer finalize(stmt)
	if err := rows(stmt, func() bool {
		if s := stmt.ColumnText(0); s != "ok" {
			h.t.Error(s)
		}
		return true
	}); err != nil {
		h.t.Fatal(err)
	}
}

// slowly hands on what is written after a while.
type slowly struct {
	io.Writer
	before func()
}

func (s slowly) Write(b []byte) (int, error) {
	s.before()
	return s.Writer.Write(b)
}

// A copy that is made while entries come is what was stored at one moment, places,
// rooms and chain; the node that gets it goes on from there.
func TestBackup_IsOneMoment(t *testing.T) {
	h := start(t, clustered(t))
	for p := range 4 {
		h.appendEntries(p, 1, 100)
	}
	h.awaitPlace(placed(3, 100))
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		h.appendUntil(101, &stop)
	}()
	var b bytes.Buffer
	pieces := 0
	err := h.Backup(context.Background(), slowly{&b, func() {
		pieces++
		for _, seen := h.Place(0); ; { // some are stored meanwhile
			if _, n := h.Place(0); n > seen+5 {
				break
			}
			time.Sleep(time.Millisecond)
		}
	}})
	stop.Store(true)
	<-done
	if err != nil {
		t.Fatal(err)
	}
	cfg := restoreTo(t, &b)
	if got := names(t, cfg.Dir); got != "nebula.db nebula.lock" {
		t.Errorf("got %q", got)
	}
	copied := start(t, cfg)
	at := childPlaces(copied.Store)[:4]
	_, now := h.Place(0)
	if at[0].N < 100 || at[0].N >= now {
		t.Errorf("got place %v; it was 100 at first and %d at last", at[0], now)
	}
	copied.wantEntries(at...)
	copied.wantWhole()
	if !slices.Equal(copied.Epochs(), []uint64{testEpoch}) || pieces < 3 {
		t.Errorf("got epochs %v, %d pieces", copied.Epochs(), pieces)
	}
	for i, p := range at {
		copied.appendEntries(p.Partition, p.N-5, p.N+50)
		at[i].N += 50
	}
	copied.awaitPlace(at[3])
	copied.wantEntries(at...)
	for _, p := range at {
		copied.wantStored(p.Partition, 0, math.MaxInt, 1, p.N)
	}
}

// History is the same on both sides.
func TestBackup_CopiesHistory(t *testing.T) {
	h := start(t, config(t))
	h.say("lobby", 1, 300)
	h.say("räume", 1, 3)
	h.await("räume", 3)
	cfg := restoreTo(t, bytes.NewReader(h.copyOf()))
	cfg.Clustered = false
	copied := start(t, cfg)
	if rooms, messages := copied.Counts(); rooms != 2 || messages != 303 {
		t.Errorf("got %d rooms and %d messages", rooms, messages)
	}
	if copied.Epoch() <= h.Epoch() || len(copied.Epochs()) != 2 {
		t.Errorf("got epochs %v", copied.Epochs())
	}
	wantMessages(t, copied.load("räume"), h.Epoch(), 1, 3)
	a := copied.load("lobby")
	wantIDs(t, a, 1, 300)
	wantMessages(t, a, h.Epoch(), 45, 300)
}

// Nothing is stored yet.
func TestBackup_OfNothing(t *testing.T) {
	h := start(t, clustered(t))
	copied := start(t, restoreTo(t, bytes.NewReader(h.copyOf())))
	copied.appendEntries(0, 1, 10)
	copied.awaitPlace(placed(0, 10))
	copied.wantStored(0, 0, math.MaxInt, 1, 10)
}

// What Config.Retain has made of the original is copied, counts and all, and what it
// removes while the copy is made, the end of a chain even, does no harm.
func TestBackup_BesideRetain(t *testing.T) {
	cfg := clustered(t)
	cfg.Retain = 10
	h := startRetaining(t, cfg)
	say := func(h *harness, partition int, n uint64) {
		h.entry(placed(partition, n), record(entryRoom(partition, 0), testEpoch, n, h.clock.Load()/1e6))
	}
	for n := uint64(1); n <= 150; n++ {
		say(h, 0, n)
		say(h, 1, n)
	}
	look := h.looker()
	eventually(t, "texts are removed", func() bool { return number(t, look, textsSQL) == 20 })
	var b bytes.Buffer
	first := true
	if err := h.Backup(context.Background(), slowly{&b, func() {
		if first {
			first = false // the moment is chosen
			h.delete("n < 50 OR n >= 280")
		}
	}}); err != nil {
		t.Fatal(err)
	}
	made := restoreTo(t, &b)
	made.Retain = 10
	copied := startRetaining(t, made)
	for partition := range 2 {
		if got, since := copied.stored(partition, 0, math.MaxInt); len(got) != 0 || since != 150 {
			t.Errorf("got %d messages since %d of a chain without its end", len(got), since)
		}
	}
	for n := uint64(151); n <= 175; n++ { // they get the numbers that are free again
		say(copied, 0, n)
	}
	say(copied, 1, 151)
	if got, since := copied.stored(1, 0, math.MaxInt); len(got) != 1 || since != 150 {
		t.Errorf("got %d messages since %d", len(got), since)
	}
	copied.close()
	copied = startRetaining(t, made)
	look = copied.looker()
	eventually(t, "it is counted", func() bool {
		return number(t, look, "SELECT max(n) - (SELECT value FROM counter) FROM message") == number(t, look, textsSQL)
	})
}

// delete removes messages under the Store's hands.
func (h *harness) delete(which string) {
	h.t.Helper()
	c, err := openConn(h.path, sqlite.OpenReadWrite)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := errors.Join(exec(c, "DELETE FROM message WHERE "+which), c.Close()); err != nil {
		h.t.Fatal(err)
	}
}

// While w blocks, commits and checkpoints go on.
func TestBackup_HoldsUpNothing(t *testing.T) {
	h := startCheckpointing(t)
	h.say("lobby", 1, 10)
	h.await("lobby", 10)
	next := uint64(11)
	var b bytes.Buffer
	if err := h.Backup(context.Background(), slowly{&b, func() {
		for round := h.logRound(); h.logRound() == round; next += 10 {
			if next > 50_000 {
				t.Fatal("the log never started over")
			}
			h.say("lobby", next, next+9)
			h.await("lobby", next+9)
		}
	}}); err != nil {
		t.Fatal(err)
	}
	if next == 11 {
		t.Error("nothing was written meanwhile")
	}
}

// What ends a copy early ends it with an error: w's, the context, the Store's end.
func TestBackup_Ends(t *testing.T) {
	h := start(t, clustered(t))
	h.appendEntries(0, 1, 100)
	h.awaitPlace(placed(0, 100))
	broken := errors.New("broken")
	if err := h.Backup(context.Background(), failingWriter{broken}); !errors.Is(err, broken) {
		t.Errorf("got %v, want %v", err, broken)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := h.Backup(ctx, slowly{io.Discard, cancel}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was canceled", err)
	}
	store, closing := h.Store, make(chan struct{})
	closes := sync.OnceFunc(func() {
		go func() {
			defer close(closing)
			h.close()
		}()
		<-store.guests.end.Done()
	})
	err := store.Backup(context.Background(), slowly{io.Discard, closes})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of a Store that closed", err)
	}
	<-closing
	if err := store.Backup(context.Background(), io.Discard); !errors.Is(err, errClosed) {
		t.Errorf("got %v after Close", err)
	}
}

type failingWriter struct{ err error }

func (w failingWriter) Write([]byte) (int, error) { return 0, w.err }

// aCopy has a few pieces.
func aCopy(t *testing.T) []byte {
	h := start(t, clustered(t))
	for p := range 4 {
		h.appendEntries(p, 1, 100)
	}
	h.awaitPlace(placed(3, 100))
	return h.copyOf()
}

// A copy that ends early, or is not what was sent, leaves nothing, and the folder is
// good for another.
func TestRestore_CompleteOrNotAtAll(t *testing.T) {
	good := aCopy(t)
	cfg := clustered(t)
	refused := func(name string, r io.Reader, want error) {
		t.Helper()
		if err := Restore(context.Background(), cfg.Dir, r); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
		if got := names(t, cfg.Dir); got != "nebula.lock" {
			t.Errorf("%s: left %q", name, got)
		}
	}
	for _, size := range []int{0, 3, copyHead, copyHead + 100, len(good) / 2, len(good) - 20, len(good) - 1} {
		refused(fmt.Sprintf("%d bytes", size), bytes.NewReader(good[:size]), errTorn)
	}
	for i := range 8 {
		b := bytes.Clone(good)
		b[len(b)*(2*i+1)/16] ^= 0x10
		refused("another byte", bytes.NewReader(b), errTorn)
	}
	broken := errors.New("broken")
	refused("a broken connection", io.MultiReader(bytes.NewReader(good[:len(good)/2]), iotest.ErrReader(broken)), broken)
	refused("nothing of ours", strings.NewReader(strings.Repeat("once upon a time ", 10_000)), errTorn)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Restore(ctx, cfg.Dir, bytes.NewReader(good)); !errors.Is(err, context.Canceled) || names(t, cfg.Dir) != "nebula.lock" {
		t.Errorf("got %v, left %q", err, names(t, cfg.Dir))
	}
	if err := Restore(context.Background(), cfg.Dir, iotest.HalfReader(bytes.NewReader(good))); err != nil {
		t.Fatal(err)
	}
	start(t, cfg).wantEntries(placed(0, 100), placed(1, 100), placed(2, 100), placed(3, 100))
}

// Pieces that are whole and do not belong together are refused too.
func TestRestore_RefusesNonsense(t *testing.T) {
	begun := &copyBegin{Format: copyFormat, Last: 10}
	room, message := []copiedRoom{{1, "lobby"}}, copiedMessage{N: 1, Room: 1}
	for name, pieces := range map[string][]piece{
		"no begin":        {{Rooms: room}},
		"two begins":      {{Begin: begun}, {Begin: begun}},
		"too few":         {{Begin: begun}, {Rooms: room}, {End: &copyEnd{Rooms: 2}}},
		"no such room":    {{Begin: begun}, {Messages: []copiedMessage{message}}},
		"twice":           {{Begin: begun}, {Rooms: room}, {Messages: []copiedMessage{message, message}}},
		"after the end":   {{Begin: begun}, {Rooms: room}, {Messages: []copiedMessage{{N: 11, Room: 1}}}},
		"of a later form": {{Begin: &copyBegin{Format: copyFormat + 1}}},
	} {
		var b bytes.Buffer
		w := copyWriter{w: &b}
		for i := range pieces {
			if err := w.write(&pieces[i]); err != nil {
				t.Fatal(err)
			}
		}
		want := errTorn
		if name == "of a later form" {
			want = ErrNewer
		}
		dir := t.TempDir()
		if err := Restore(context.Background(), dir, &b); !errors.Is(err, want) || names(t, dir) != "nebula.lock" {
			t.Errorf("%s: got %v, want %v; left %q", name, err, want, names(t, dir))
		}
	}
}

// A disk that fails, and a process that was killed at it before.
func TestRestore_OnABadDisk(t *testing.T) {
	good := aCopy(t)
	cfg := clustered(t)
	disk := fail(t, cfg.Dir, diskWrite, lib.SQLITE_FULL)
	disk.on.Store(true)
	if err := Restore(context.Background(), cfg.Dir, bytes.NewReader(good)); err == nil || names(t, cfg.Dir) != "nebula.lock" {
		t.Errorf("got %v, left %q", err, names(t, cfg.Dir))
	}
	disk.on.Store(false)
	for _, suffix := range []string{"", "-wal", "-journal"} {
		write(t, filepath.Join(cfg.Dir, databaseFile+".new"+suffix), []byte("what is left"))
	}
	if err := Restore(context.Background(), cfg.Dir, bytes.NewReader(good)); err != nil || names(t, cfg.Dir) != "nebula.db nebula.lock" {
		t.Errorf("got %v, left %q", err, names(t, cfg.Dir))
	}
}

// A folder that has a database, or belongs to a process, stays as it is.
func TestRestore_Refuses(t *testing.T) {
	good := aCopy(t)
	cfg := clustered(t)
	h := start(t, cfg)
	h.entry(shard.Place{Epoch: 1, N: 1}, record("mine", 1, 1, 0))
	if err := Restore(context.Background(), cfg.Dir, bytes.NewReader(good)); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	h.close()
	if err := Restore(context.Background(), cfg.Dir, bytes.NewReader(good)); !errors.Is(err, ErrExists) {
		t.Errorf("got %v, want ErrExists", err)
	}
	h = start(t, cfg)
	release(h.load("mine"))
	if _, messages := h.Counts(); messages != 1 {
		t.Errorf("got %d messages, want the one", messages)
	}
}
