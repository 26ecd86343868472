package shard

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestLimiter_TakesBurstThenRate(t *testing.T) {
	l, now := NewLimiter(10, 3), int64(time.Hour)
	for i := range 3 {
		if wait := l.Take("ann", now); wait != 0 {
			t.Fatalf("message %d: got a wait of %v", i, wait)
		}
	}
	if wait := l.Take("ann", now); wait != 100*time.Millisecond {
		t.Errorf("got a wait of %v, want 100 ms", wait)
	}
	if wait := l.Take("bob", now); wait != 0 {
		t.Errorf("somebody else: got a wait of %v", wait)
	}
	if wait := l.Take("ann", now+int64(40*time.Millisecond)); wait.Round(time.Millisecond) != 60*time.Millisecond {
		t.Errorf("got a wait of %v, want 60 ms", wait)
	}
	if wait := l.Take("ann", now+int64(100*time.Millisecond)); wait != 0 {
		t.Errorf("after what was to wait: got a wait of %v", wait)
	}
}

func TestLimiter_ForgetsWhoIsAsGoodAsNew(t *testing.T) {
	l, now := NewLimiter(1, 2), int64(time.Hour)
	for i := range 100 * sweepAt {
		now += int64(10 * time.Millisecond)
		l.Take(fmt.Sprint(i), now)
	}
	if len(l.keys) > 2*sweepAt {
		t.Errorf("%d keys are kept", len(l.keys))
	}
}

func TestHistogram_CountsByWeight(t *testing.T) {
	h, sum := NewHistogram([]float64{1, 2}), NewHistogram([]float64{1, 2})
	h.Observe(1, 3)
	h.Observe(1.5, 2)
	h.Observe(9, 1)
	sum.add(h)
	sum.add(h)
	if _, counts, total := sum.Snapshot(); !slices.Equal(counts, []uint64{6, 4, 2}) || total != 30 {
		t.Errorf("got %v, sum %v", counts, total)
	}
}

func TestPace_RisesWithWork(t *testing.T) {
	for busy, want := range map[float64]time.Duration{0: 0, 0.4: 0, 0.6: 4 * time.Millisecond, 0.8: 8 * time.Millisecond, 1: 8 * time.Millisecond} {
		if got := time.Duration(pace(busy)).Round(time.Microsecond); got != want {
			t.Errorf("busy %v: got %v, want %v", busy, got, want)
		}
	}
}
