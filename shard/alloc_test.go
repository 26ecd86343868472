//go:build !race

package shard

import (
	"testing"
	"time"
)

// TestShard_AllocatesNothing: a message from the mailbox to its members, and the
// ack, in steady state.
func TestShard_AllocatesNothing(t *testing.T) {
	for _, members := range []int{1, 100, 1000} {
		h := newHall(t, members)
		for range 3000 { // the window, the tail and the queues have their size
			h.say(1)
		}
		if n := testing.AllocsPerRun(2000, func() { h.say(1) }); n != 0 {
			t.Errorf("%d members: got %v allocations a message, want 0", members, n)
		}
		if n := testing.AllocsPerRun(200, func() { h.say(16) }); n != 0 {
			t.Errorf("%d members: got %v allocations a turn of 16, want 0", members, n)
		}
	}
}

// TestRunner_OrderAllocatesNothing: a message of this node and one of another, from the
// mailbox to the Relay, from there to the members, and the ack, in steady state.
func TestRunner_OrderAllocatesNothing(t *testing.T) {
	h := newFarHall(100)
	defer h.runner.close()
	for range 3000 {
		h.say(1)
	}
	h.say(64) // the mailbox and the queues have their size
	if n := testing.AllocsPerRun(2000, func() { h.say(1) }); n != 0 {
		t.Errorf("got %v allocations a message, want 0", n)
	}
	if n := testing.AllocsPerRun(200, func() { h.say(16) }); n != 0 {
		t.Errorf("got %v allocations for 16 at once, want 0", n)
	}
	if got := h.runner.shard.deliveries.Load(); got != 100*h.seq {
		t.Errorf("got %d deliveries, want %d", got, 100*h.seq)
	}
}

func TestLimiter_AllocatesNothing(t *testing.T) {
	l, now := NewLimiter(10, 20), time.Now().UnixNano()
	l.Take("u", now)
	if n := testing.AllocsPerRun(1000, func() { now += int64(time.Second); l.Take("u", now) }); n != 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
