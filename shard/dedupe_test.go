package shard

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestDedupe_RemembersTheWindow compares it with a list, over bursts and lulls, with
// hashes that collide in their low bits and some that come twice.
func TestDedupe_RemembersTheWindow(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var d dedupe
	var all []Seen
	now, most := int64(1e12), 0
	for seq := uint64(1); seq <= 60000; seq++ {
		switch {
		case seq%20000 == 0:
			now += 2 * dedupeFor.Milliseconds() // a lull: only dedupeKeep are left
		case seq%20000 > 10000:
			now += 200 // 1,500 in the window
		default:
			now += 20 // all of it
		}
		one := Seen{Hash: rnd.Uint64N(1<<16)<<40 | rnd.Uint64N(1<<13)<<2, Seq: seq, Milli: now}
		if _, known := d.find(one.Hash); known {
			continue // as Shard.say does
		}
		d.add(one, now)
		all = append(all, one)
		most = max(most, d.count)
		if seq%401 == 0 {
			checkWindow(t, &d, all, now)
		}
	}
	if most < 2*dedupeKeep || d.count > most/2 || len(d.ring) > 4*d.count {
		t.Errorf("had %d at most and %d in the end, in a ring of %d", most, d.count, len(d.ring))
	}
}

func checkWindow(t *testing.T, d *dedupe, all []Seen, now int64) {
	t.Helper()
	for i := max(len(all)-4000, 0); i < len(all); i++ {
		want := len(all)-i <= dedupeKeep || all[i].Milli > now-dedupeFor.Milliseconds()
		got, ok := d.find(all[i].Hash)
		if ok = ok && got == all[i]; want && !ok {
			t.Fatalf("at %d: %+v is forgotten", len(all), all[i])
		}
	}
	used := 0
	for _, at := range d.index {
		if at != 0 {
			used++
		}
	}
	if used != d.count {
		t.Fatalf("at %d: %d in the index, %d in the ring", len(all), used, d.count)
	}
}

// TestDedupe_NewerOfTheSameHash: what History brought may hold a hash twice.
func TestDedupe_NewerOfTheSameHash(t *testing.T) {
	var d dedupe
	now := int64(time.Hour / time.Millisecond)
	d.add(Seen{Hash: 7, Seq: 1}, 0)
	d.add(Seen{Hash: 7, Seq: 2, Milli: now}, now)
	d.forget()
	if got, ok := d.find(7); !ok || got.Seq != 2 {
		t.Errorf("got %v %v, want the newer one", got, ok)
	}
	d.forget()
	if got, ok := d.find(7); ok {
		t.Errorf("got %v, want none", got)
	}
}
