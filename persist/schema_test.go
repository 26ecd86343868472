package persist

import (
	"slices"
	"testing"

	"zombiezen.com/go/sqlite"
)

// next is a migration that a later version might bring.
const next = "ALTER TABLE message ADD COLUMN edited INTEGER NOT NULL DEFAULT 7"

// migrated opens a database with 10 messages, with the lock in hand, and brings it to
// a schema.
func migrated(t *testing.T, cfg Config, steps []string) (c *sqlite.Conn, err error) {
	t.Helper()
	h := start(t, cfg)
	h.say("lobby", 1, 10)
	h.await("lobby", 10)
	path := h.path
	h.close()
	c, err = openConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c, migrate(c, steps)
}

// A database of this schema goes on under a later one; this version then refuses it.
func TestMigrate_Forward(t *testing.T) {
	cfg := config(t)
	all := append(slices.Clone(steps()), next, "UPDATE message SET edited = edited + 1")
	c, err := migrated(t, cfg, all)
	if err != nil {
		t.Fatal(err)
	}
	if v, n := number(t, c, "PRAGMA user_version"), number(t, c, "SELECT sum(edited) FROM message"); v != int64(len(all)) || n != 80 {
		t.Errorf("got schema %d with the sum %d, want %d with 80", v, n, len(all))
	}
	if err := migrate(c, all); err != nil {
		t.Error("again:", err)
	}
	wantRefused(t, cfg, ErrNewer)
}

// A step that fails leaves nothing of itself, and what was before it.
func TestMigrate_AStepIsWhole(t *testing.T) {
	cfg := config(t)
	all := append(slices.Clone(steps()), next, "DELETE FROM message; SELECT nothing FROM nowhere")
	c, err := migrated(t, cfg, all)
	if err == nil {
		t.Fatal("a broken step went well")
	}
	if v, n := number(t, c, "PRAGMA user_version"), number(t, c, "SELECT sum(edited) FROM message"); v != int64(len(all))-1 || n != 70 {
		t.Errorf("got schema %d with the sum %d, want %d with 70", v, n, len(all)-1)
	}
}
