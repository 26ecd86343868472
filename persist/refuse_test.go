package persist

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
)

func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// databaseBytes makes a database with 2,000 messages and returns its bytes.
func databaseBytes(t *testing.T) []byte {
	cfg := config(t)
	h := start(t, cfg)
	h.say("lobby", 1, 2000)
	h.close()
	return read(t, filepath.Join(cfg.Dir, databaseFile))
}

// Open refuses what it does not know and what is damaged, and leaves it as it is.
func TestOpen_RefusesAndLeavesUntouched(t *testing.T) {
	good := databaseBytes(t)
	with := func(change func([]byte) []byte) []byte { return change(bytes.Clone(good)) }
	for _, c := range []struct {
		name     string
		database []byte
		want     error
	}{
		{"text", []byte("once upon a time"), ErrForeign},
		{"long text", bytes.Repeat([]byte("once upon a time "), 1000), ErrForeign},
		{"another program's database", with(func(b []byte) []byte { b[applicationAt]++; return b }), ErrForeign},
		{"a newer schema", with(func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[userVersionAt:], uint32(len(steps())+1))
			return b
		}), ErrNewer},
		{"cut short", with(func(b []byte) []byte { return b[:len(b)/2] }), ErrCorrupt},
		{"zeros in the middle", with(func(b []byte) []byte { clear(b[4096 : len(b)-4096]); return b }), ErrCorrupt},
		{"noise for a schema", with(func(b []byte) []byte { copy(b[100:4096], bytes.Repeat([]byte{0xa5}, 3996)); return b }), ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			path := filepath.Join(cfg.Dir, databaseFile)
			write(t, path, c.database)
			wantRefused(t, cfg, c.want)
			if !bytes.Equal(read(t, path), c.database) {
				t.Error("the file was changed")
			}
		})
	}
}

func wantRefused(t *testing.T, cfg Config, want error) {
	t.Helper()
	s, err := Open(context.Background(), cfg)
	if err == nil {
		s.Close(context.Background())
	}
	if !errors.Is(err, want) {
		t.Fatalf("got %v, want %v", err, want)
	}
}

// A log without its database is not thrown away.
func TestOpen_RefusesALonelyLog(t *testing.T) {
	cfg := config(t)
	path := filepath.Join(cfg.Dir, databaseFile)
	write(t, path+"-wal", []byte("what is left"))
	wantRefused(t, cfg, ErrCorrupt)
	write(t, path, nil)
	wantRefused(t, cfg, ErrCorrupt)
	if got := read(t, path+"-wal"); string(got) != "what is left" {
		t.Errorf("the log was changed to %q", got)
	}
}

// A newer version's migration may stand in the log alone, after a kill.
func TestOpen_RefusesANewerSchemaInTheLog(t *testing.T) {
	cfg := config(t)
	start(t, cfg).close()
	path := filepath.Join(cfg.Dir, databaseFile)
	c, err := openConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := exec(c, "PRAGMA user_version = 77"); err != nil {
		t.Fatal(err)
	}
	database, log := read(t, path), read(t, path+"-wal")
	if err := c.Close(); err != nil { // writes it back
		t.Fatal(err)
	}
	write(t, path, database)
	write(t, path+"-wal", log)
	wantRefused(t, cfg, ErrNewer)
	if !bytes.Equal(read(t, path), database) || !bytes.Equal(read(t, path+"-wal"), log) {
		t.Error("the files were changed")
	}
}

func TestOpen_RefusesWhatIsNoFolder(t *testing.T) {
	cfg := config(t)
	cfg.Dir = filepath.Join(cfg.Dir, "file")
	write(t, cfg.Dir, nil)
	if _, err := Open(context.Background(), cfg); err == nil {
		t.Error("opened a file as a folder")
	}
}
