package main

import (
	"nebula/perf/fault/verdict"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRun_EarlyAckIsCaught is the negative control in the server: it acks before it
// commits. One commit takes so long that the kill surely comes before its end.
func TestRun_EarlyAckIsCaught(t *testing.T) {
	t.Parallel()
	cfg := small(9)
	cfg.Point = "ack:early,before-commit:sleep=2s:10"
	strikes := []Strike{{Blow: Kill, After: 500 * time.Millisecond}, {Blow: Kill, After: 500 * time.Millisecond}}
	got := try(t, cfg, strikes, nil)
	if got.Kept || got.Faults[verdict.Lost] == 0 {
		t.Fatalf("acks came before commits, and the verdict is %+v", got)
	}
}

// TestRun_Failpoints visits each failpoint once; -failpoints does it longer.
func TestRun_Failpoints(t *testing.T) {
	t.Parallel()
	cfg := small(10)
	cfg.Points = true
	seen := make(map[string]bool)
	strikes := slices.DeleteFunc(cfg.strikes(), func(s Strike) bool {
		name, _, _ := strings.Cut(s.Point, ":")
		twice := seen[name] || s.Blow != Failpoint
		seen[name] = seen[name] || !twice
		return twice
	})
	if len(strikes) != len(points()) {
		t.Fatalf("got %d strikes for %d failpoints", len(strikes), len(points()))
	}
	if got := try(t, cfg, quick(strikes), nil); !got.Kept {
		t.Errorf("broken:\n%s", strings.Join(got.Sentences, "\n"))
	}
}
