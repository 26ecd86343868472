package persist

import (
	"errors"
	"nebula/shard"
	"path/filepath"
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

// A database of the first schema, without places, opens and goes on, in a cluster too.
func TestOpen_MigratesTheFirstSchema(t *testing.T) {
	for _, clustered := range []bool{false, true} {
		cfg := config(t)
		cfg.Clustered = clustered
		path := filepath.Join(cfg.Dir, databaseFile)
		write(t, path, nil)
		c, err := openConn(path, sqlite.OpenReadWrite, "auto_vacuum = INCREMENTAL", "journal_mode = WAL")
		if err != nil {
			t.Fatal(err)
		}
		err = errors.Join(migrate(c, steps()[:1]),
			exec(c, "INSERT INTO epoch VALUES (3)"), exec(c, "INSERT INTO room (name) VALUES ('lobby')"),
			exec(c, "INSERT INTO message (room, epoch, seq, hash, id, user, name, text, time) "+
				"WITH RECURSIVE seqs (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM seqs WHERE seq < 100) "+
				"SELECT 1, 3, seq, seq, 'id', 'user', 'name', 'text', 0 FROM seqs"), c.Close())
		if err != nil {
			t.Fatal(err)
		}
		h := start(t, cfg)
		if got := h.Epochs(); got[0] != 3 || (len(got) == 1) != clustered {
			t.Errorf("got epochs %v", got)
		}
		if v := number(t, h.looker(), "PRAGMA user_version"); v != int64(len(steps())) {
			t.Errorf("got schema %d", v)
		}
		h.entry(shard.Place{Partition: 2, Epoch: 4, N: 9}, record("lobby", 4, 101, 0))
		a := h.load("lobby")
		if len(a.Messages) != 101 || a.Last != (shard.Pos{Epoch: 4, Seq: 101}) {
			t.Errorf("got %d messages up to %v", len(a.Messages), a.Last)
		}
		release(a)
		if got, since := h.stored(2, 0, 1000); len(got) != 1 || since != 0 {
			t.Errorf("got %v since %d", got, since)
		}
	}
}
