package persist

import (
	"bytes"
	"context"
	"errors"
	"math"
	"nebula/shard"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
)

// A copy takes the place of a database, and what is in a log of that one does not
// come back in it.
func TestReplace(t *testing.T) {
	good := aCopy(t)
	cfg := clustered(t)
	h := start(t, cfg)
	h.appendEntries(0, 1, 10)
	h.awaitPlace(placed(0, 10))
	from := filepath.Join(cfg.Dir, "copy")
	if err := Restore(context.Background(), from, bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	if err := Replace(cfg.Dir, from); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	database, log := read(t, h.path), read(t, h.path+"-wal")
	h.close()
	write(t, databaseOf(cfg), database) // as if it had been killed
	write(t, databaseOf(cfg)+"-wal", log)
	if err := Replace(cfg.Dir, from); err != nil {
		t.Fatal(err)
	}
	if got := names(t, cfg.Dir); got != "nebula.db nebula.lock" {
		t.Errorf("got %q", got)
	}
	h = start(t, cfg)
	h.wantEntries(placed(0, 100), placed(1, 100), placed(2, 100), placed(3, 100))
	h.wantStored(0, 0, math.MaxInt, 1, 100)
}

func databaseOf(cfg Config) string { return filepath.Join(cfg.Dir, databaseFile) }

// Before the name changes, the old database has all that its log held.
func TestReplace_SettlesTheOldOneFirst(t *testing.T) {
	cfg := clustered(t)
	h := start(t, cfg)
	h.appendEntries(0, 1, 10)
	h.awaitPlace(placed(0, 10))
	database, log := read(t, h.path), read(t, h.path+"-wal")
	h.close()
	write(t, databaseOf(cfg), database)
	write(t, databaseOf(cfg)+"-wal", log)
	if err := settle(databaseOf(cfg)); err != nil {
		t.Fatal(err)
	}
	if got := names(t, cfg.Dir); got != "nebula.db nebula.lock" {
		t.Errorf("got %q", got)
	}
	c, err := openConn(databaseOf(cfg), sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := wantEntries(c, []shard.Place{placed(0, 10)}); err != nil {
		t.Error(err)
	}
}

// Without a copy nothing happens to what is there; what is there may be anything.
func TestReplace_NeedsACopy(t *testing.T) {
	cfg := clustered(t)
	h := start(t, cfg)
	h.appendEntries(0, 1, 10)
	h.awaitPlace(placed(0, 10))
	h.close()
	from := filepath.Join(cfg.Dir, "copy")
	if err := Replace(cfg.Dir, from); err == nil {
		t.Error("replaced a database by nothing")
	}
	h = start(t, cfg)
	h.wantEntries(placed(0, 10))
	h.close()
	if err := Restore(context.Background(), from, bytes.NewReader(aCopy(t))); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(databaseOf(cfg), 1000); err != nil {
		t.Fatal(err)
	}
	if err := Replace(cfg.Dir, from); err != nil {
		t.Error(err)
	}
	start(t, cfg).wantEntries(placed(0, 100), placed(1, 100), placed(2, 100), placed(3, 100))
}
