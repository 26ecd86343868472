package persist

import (
	"nebula/frame"
	"nebula/shard"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// looker is a connection of a test's own.
func (h *harness) looker() *sqlite.Conn {
	h.t.Helper()
	c, err := openConn(h.path, sqlite.OpenReadOnly)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			h.t.Error(err)
		}
	})
	return c
}

func number(t *testing.T, c *sqlite.Conn, sql string) int64 {
	t.Helper()
	row, err := numbers(c, sql, 1)
	if err != nil {
		t.Fatal(err)
	}
	return row[0]
}

const (
	rowsSQL  = "SELECT count(*) FROM message"
	textsSQL = "SELECT count(*) FROM message WHERE text IS NOT NULL AND user IS NOT NULL"
)

// startRetaining starts a Store that removes soon.
func startRetaining(t *testing.T, cfg Config) *harness {
	h := open(t, cfg)
	h.cutAfter = time.Millisecond
	h.start()
	return h
}

func wantIDs(t *testing.T, a shard.Answer, from, to uint64) {
	t.Helper()
	if got, want := len(a.IDs), int(to+1-from); got != want {
		t.Errorf("got %d ids, want %d", got, want)
		return
	}
	for i, seen := range a.IDs {
		if seen.Seq != from+uint64(i) {
			t.Fatalf("id %d is of seq %d", i, seen.Seq)
		}
	}
}

// What is beyond the limit is hidden at once and removed soon; its id stays as long
// as the dedupe window of protocol.md may ask for it, across a restart too.
func TestRetain_KeepsTheDedupeWindow(t *testing.T) {
	cfg := config(t)
	cfg.Retain = 10
	h := startRetaining(t, cfg)
	h.say("lobby", 1, 1200)
	h.await("lobby", 1200)
	a := h.load("lobby")
	if a.More {
		t.Error("there is more than what is kept")
	}
	wantIDs(t, a, 1, 1200) // all within 5 minutes
	wantMessages(t, a, h.Epoch(), 1191, 1200)
	look := h.looker()
	eventually(t, "texts are removed", func() bool { return number(t, look, textsSQL) == 10 })
	if n := number(t, look, rowsSQL); n != 1200 {
		t.Errorf("got %d rows, want 1200: their ids may be asked for", n)
	}
	h.clock.Add(int64(windowFor + time.Minute))
	h.say("lobby", 1201, 1300)
	h.await("lobby", 1300)
	eventually(t, "ids are removed", func() bool { return number(t, look, rowsSQL) == windowIDs })
	now := h.clock.Load()
	h.close()
	h = startRetaining(t, cfg)
	h.clock.Store(now)
	if rooms, messages := h.Counts(); rooms != 1 || messages != 10 {
		t.Errorf("got %d rooms and %d messages, want 1 and 10", rooms, messages)
	}
	a = h.load("lobby")
	wantIDs(t, a, 1300-windowIDs+1, 1300)
	wantMessages(t, a, h.Epochs()[0], 1291, 1300)
}

// A message that is resent finds the tombstone of the first one, and is not stored
// twice.
func TestRetain_ATombstoneStillNamesItsMessage(t *testing.T) {
	cfg := config(t)
	cfg.Retain = 1
	h := startRetaining(t, cfg)
	h.say("lobby", 1, 20)
	h.await("lobby", 20)
	look := h.looker()
	eventually(t, "texts are removed", func() bool { return number(t, look, textsSQL) == 1 })
	h.say("lobby", 5, 5)
	h.await("lobby", 5)
	if n := number(t, look, rowsSQL); n != 20 || h.Stats().Errors != 0 {
		t.Errorf("got %d rows and %d errors, want 20 and none", n, h.Stats().Errors)
	}
}

// A lower limit than before: the rooms that are there are swept, and the file
// becomes smaller, to what may stay free. Messages that come meanwhile are committed.
func TestRetain_SweepAndVacuum(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	const messages = 4000
	for seq := uint64(1); seq <= messages; seq++ {
		r := h.record("lobby", seq)
		r.Body.Release()
		r.Body = frame.EncodeMessage("lobby", []byte("id"), r.User, r.Name, []byte(strings.Repeat("x", 3500)))
		r.Body.Stamp(seq, r.Milli)
		if !h.Append(r) {
			t.Fatal("refused")
		}
	}
	h.await("lobby", messages)
	later := h.clock.Load() + int64(windowFor+time.Minute)
	h.close()
	before := size(t, cfg)
	cfg.Retain = 100
	h = open(t, cfg)
	h.clock.Store(later)
	h.start()
	look := h.looker()
	const lobbySQL = rowsSQL + " WHERE room = 1"
	for seq := uint64(1); number(t, look, lobbySQL) > windowIDs || number(t, look, "PRAGMA freelist_count") > 2048; seq++ {
		h.say("other", seq, seq)
		h.await("other", seq)
	}
	if n := number(t, look, "SELECT count(text) FROM message WHERE room = 1"); n != 100 {
		t.Errorf("got %d texts, want 100", n)
	}
	h.close()
	if after := size(t, cfg); after > before*4/5 {
		t.Errorf("the file went from %d to %d bytes", before, after)
	}
}

func size(t *testing.T, cfg Config) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Join(cfg.Dir, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// A slice that fails is repeated, and counted once.
func TestRetain_AFailingSliceIsRepeated(t *testing.T) {
	cfg := config(t)
	cfg.Retain = 10
	disk := fail(t, cfg.Dir, diskWrite, lib.SQLITE_FULL)
	h := open(t, cfg)
	h.cutAfter = time.Millisecond
	told := make(chan struct{}, 1000)
	h.Start(func(n []shard.Notice) {
		if n[0].Seq == 100 {
			disk.on.Store(true)
		}
		told <- struct{}{}
	}, release)
	h.say("lobby", 1, 100)
	eventually(t, "a slice fails", func() bool { return disk.tried.Load() > 0 })
	disk.on.Store(false)
	look := h.looker()
	eventually(t, "texts are removed", func() bool { return number(t, look, textsSQL) == 10 })
	if n := number(t, look, "SELECT value FROM counter WHERE name = 'removed'"); n != 90 {
		t.Errorf("%d are counted as removed, want 90", n)
	}
	if h.Stats().Errors == 0 {
		t.Error("the failure was not counted")
	}
}
