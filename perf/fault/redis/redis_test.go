package redis

import (
	"os"
	"testing"
)

// TestServer_ComesBack has a server die and come back with its file, with an older
// copy of it, and with nothing.
func TestServer_ComesBack(t *testing.T) {
	dir, err := os.MkdirTemp("", "nebula-redis-test-")
	if err != nil {
		t.Fatal(err)
	}
	s := New(dir)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	count := func(want string) {
		t.Helper()
		if got, err := s.Ask("INCR", "n"); got != want {
			t.Errorf("got %s, %v, want %s", got, err, want)
		}
	}
	do(s.Start())
	count(":1")
	do(s.Save())
	count(":2")
	do(s.Kill())
	do(s.Start())
	count(":3")
	do(s.Kill())
	do(s.Restore())
	do(s.Start())
	count(":2")
	do(s.Kill())
	do(s.Empty())
	do(s.Start())
	count(":1")
	if _, err := s.Ask("NOSUCH"); err == nil {
		t.Error("an error is no answer")
	}
}
