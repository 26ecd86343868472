package netpoll

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestWheel_NextFindsTheSlot(t *testing.T) {
	var w wheel
	w.advance(100*int64(tick), nil)
	if got := w.next(); got != -1 {
		t.Fatalf("empty wheel: next %d, want -1", got)
	}
	c := &conn{}
	for _, in := range []int64{1, 2, 63, 64, 65, 411, 412, 413, 511, 512} {
		w.add(c, (100+in)*int64(tick))
		if got := w.next(); got != (100+in)*int64(tick) {
			t.Errorf("deadline in %d ticks: next is %d", in, got/int64(tick)-100)
		}
		w.remove(c)
		w.remove(c) // out already
		if got := w.next(); got != -1 {
			t.Errorf("after remove: next %d, want -1", got)
		}
	}
}

func TestWheel_NeverEarlyAndAtMostOneTickLate(t *testing.T) {
	var w wheel
	now := int64(12_345_678)
	for _, in := range []time.Duration{1, tick - 1, tick, tick + 1, time.Second, 63 * time.Second, 64 * time.Second, 65 * time.Second, 200 * time.Second, 25 * time.Hour} {
		c := &conn{}
		at := now + int64(in)
		w.add(c, at)
		fired := int64(0)
		for fired == 0 {
			now = max(w.next(), now+1) // as a loop waits
			w.advance(now, func(*conn) { fired = now })
			if now > at+2*int64(tick) {
				t.Fatalf("in %v: not fired", in)
			}
		}
		if fired < at || fired >= at+int64(tick) {
			t.Errorf("in %v: fired %v late", in, time.Duration(fired-at))
		}
	}
}

// TestWheel_LikeAList runs random adds, removes and steps, some of them from within
// expired, beside a plain list.
func TestWheel_LikeAList(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var w wheel
	due := make(map[*conn]int64) // ns
	var all []*conn
	for range 300 {
		all = append(all, &conn{})
	}
	now := int64(0)
	change := func(c *conn) {
		w.remove(c)
		delete(due, c)
		if rnd.IntN(4) > 0 {
			// Few different ticks, so that slots fill, and some turns ahead.
			due[c] = now + (rnd.Int64N(8)+wheelSlots*rnd.Int64N(3))*int64(tick)
			w.add(c, due[c])
		}
	}
	for range 20_000 {
		change(all[rnd.IntN(len(all))])
		if rnd.IntN(4) > 0 {
			continue
		}
		now += rnd.Int64N(3) * int64(tick)
		if rnd.IntN(1000) == 0 {
			now += (wheelSlots + rnd.Int64N(100)) * int64(tick) // the loop was away
		}
		late := make(map[*conn]bool)
		for c, at := range due {
			late[c] = at <= now-int64(tick)
		}
		w.advance(now, func(c *conn) {
			if at, ok := due[c]; !ok || at > now {
				t.Fatalf("fired with %v to go, set: %v", time.Duration(at-now), ok)
			}
			delete(due, c)
			delete(late, c)
			for range rnd.IntN(3) {
				other := all[rnd.IntN(len(all))]
				change(other)
				delete(late, other)
			}
		})
		for c, is := range late {
			if is {
				t.Fatalf("not fired, %v late", time.Duration(now-due[c]))
			}
		}
	}
	for c := range due {
		w.remove(c)
	}
	if got := w.next(); got != -1 || w.fired != nil {
		t.Fatalf("not empty at the end: next %d", got)
	}
}

func TestLoop_TimeoutRoundsUp(t *testing.T) {
	const ms = int64(time.Millisecond)
	l := &loop{}
	if got := l.timeout(5); got != -1 {
		t.Errorf("nothing due: %d, want -1", got)
	}
	l.wheel.add(&conn{}, int64(tick))
	for now, want := range map[int64]int{0: 125, 1: 125, 124*ms - 1: 2, 124 * ms: 1, 125*ms - 1: 1, 125 * ms: 0, 126 * ms: 0} {
		if got := l.timeout(now); got != want {
			t.Errorf("at %v: %d, want %d", time.Duration(now), got, want)
		}
	}
	l.rearm = 100 * ms
	if got := l.timeout(0); got != 100 {
		t.Errorf("listener due first: %d, want 100", got)
	}
	l.post(func() {})
	if got := l.timeout(0); got != 0 {
		t.Errorf("something posted: %d, want 0", got)
	}
}
