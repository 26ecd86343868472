//go:build nebulafault

package persist

import (
	"context"
	"math"
	"strings"
	"testing"

	lib "modernc.org/sqlite/lib"
)

// Every failpoint lies on the way of ordinary work, and an error at each of them
// loses and doubles nothing that was taken.
func TestFaults_ErrorEverywhere(t *testing.T) {
	names := []string{"before-append", "after-append", "before-commit", "after-commit", "before-ack", "after-ack", "before-checkpoint", "after-checkpoint"}
	t.Setenv(faultEnv, strings.Join(names, ":error:2,")+":error:2")
	h := start(t, config(t))
	refused := 0
	for seq := uint64(1); seq <= 1000; seq++ {
		for r := h.record("lobby", seq); !h.Append(r); {
			refused++
		}
		if seq%10 == 0 {
			h.await("lobby", seq)
		}
	}
	for i := range h.faults.points {
		p := h.faults.points[i]
		eventually(t, p.name+" is passed twice", func() bool { return p.passed.Load() >= 2 })
	}
	if refused != 1 {
		t.Errorf("%d were refused, want 1", refused)
	}
	if n := h.Stats().Errors; n != 4 { // commit and checkpoint
		t.Errorf("got %d errors, want 4", n)
	}
	a := h.load("lobby")
	wantMessages(t, a, h.Epoch(), 745, 1000)
	if len(a.IDs) != 1000 {
		t.Errorf("got %d messages, want 1000", len(a.IDs))
	}
}

func TestFaults_AckEarlyLies(t *testing.T) {
	t.Setenv(faultEnv, "ack:early")
	cfg := config(t)
	disk := fail(t, cfg.Dir, diskWrite, lib.SQLITE_FULL)
	h := start(t, cfg)
	disk.on.Store(true)
	h.say("lobby", 1, 1)
	h.await("lobby", 1)
	disk.on.Store(false)
}

func TestFaults_RefusesNonsense(t *testing.T) {
	for _, spec := range []string{"commit", "nowhere:kill", "before-ack:dance", "before-ack:sleep=long", "before-ack:kill:x", "before-ack:kill:1:2"} {
		t.Setenv(faultEnv, spec)
		if _, err := Open(context.Background(), config(t)); err == nil || !strings.Contains(err.Error(), spec) {
			t.Errorf("%s: got %v", spec, err)
		}
	}
}

// Entries are stored once with an error everywhere, and the place is what is stored
// after a commit whose answer was lost.
func TestFaults_EntriesStayExact(t *testing.T) {
	names := []string{"before-append", "after-append", "before-commit", "after-commit", "before-ack", "after-ack"}
	t.Setenv(faultEnv, strings.Join(names, ":error:3,")+":error:3")
	h := start(t, clustered(t))
	for n := uint64(1); n <= 200; n++ {
		p := placed(int(n%2), (n+1)/2)
		for records := entryRecords(p); !h.AppendEntry(records, p); {
		}
		if n%10 == 0 {
			h.awaitPlace(p)
		}
	}
	for _, p := range h.faults.points {
		if p.passed.Load() < 3 {
			t.Errorf("%s was passed %d times", p.name, p.passed.Load())
		}
	}
	h.wantEntries(placed(0, 100), placed(1, 100))
	h.wantStored(0, 0, math.MaxInt, 1, 100)
	h.wantStored(1, 0, math.MaxInt, 1, 100)
}
