//go:build linux

package main

import (
	"strings"
	"testing"
)

func TestMedians_EachFigureOnItsOwn(t *testing.T) {
	m := medians([]figures{
		{PerDelivery: 3, P99: 10, KeptUp: true},
		{PerDelivery: 9, P99: 30, KeptUp: true},
		{PerDelivery: 4, P99: 20, KeptUp: false, Faults: []string{"1 deliveries lost"}},
	})
	if m.PerDelivery != 4 || m.P99 != 20 || m.KeptUp || len(m.Faults) != 1 {
		t.Errorf("got %+v", m)
	}
}

const sample = `{"deliveries_per_second": 20000.5, "latency": {"p50_ms": 1.5, "p99_ms": 4}, "last": {"p50_ms": 2},
 "server": {"cpu_us_per_delivery": 7, "cpu_over_generator": 2.5, "most_rss_bytes": 9}, "generator": {"kept_up": true},
 "idle": {"rss_bytes_per_connection": 463}, "faults": ["x"]}`

func TestRead_TakesLoadgensKeys(t *testing.T) {
	f, err := read([]byte(sample))
	if err != nil || f.PerDelivery != 7 || f.Ratio != 2.5 || f.P50 != 1.5 || f.P99 != 4 || f.Last != 2 ||
		f.PerSecond != 20000.5 || f.PerConnection != 463 || f.MostRSS != 9 || !f.KeptUp || !f.bad() {
		t.Errorf("got %+v, %v", f, err)
	}
}

// A run that lost something never meets a bar, however fast it was.
func TestBar_IsNotMetWithAFault(t *testing.T) {
	fine := figures{PerDelivery: 1, P99: 1, PerSecond: 1e9, PerConnection: 1, KeptUp: true}
	lossy := fine
	lossy.Faults = []string{"1 deliveries lost"}
	for _, r := range rows() {
		if bar, met := r.bar(pair{row: r, ours: fine, ratio: 1}); !met {
			t.Errorf("%s: %q not met by %+v", r.name, bar, fine)
		}
		if bar, met := r.bar(pair{row: r, ours: lossy, ratio: 1}); met {
			t.Errorf("%s: %q met with a fault", r.name, bar)
		}
	}
	if _, met := nearFloor(pair{ours: fine, ratio: 1.2}); met {
		t.Error("1.2 times the floor passes for 1.15")
	}
	big := pair{row: row{clients: 1000, rooms: 1}, ours: figures{PerDelivery: 5, Last: 4}, ratio: 1}
	if _, met := nearFloorAndLanes(big); met || big.lanes() != 0.8 {
		t.Errorf("last served at %v of one core's time passes for %v", big.lanes(), lastCore)
	}
}

func TestTable_ShowsFaultsAndWhoWasLate(t *testing.T) {
	r := rows()[0]
	text := table("head\n", []pair{{row: r, ours: figures{PerDelivery: 7.25, Faults: []string{"3 deliveries lost"}}, floor: figures{PerDelivery: 7}, ratio: 1.04}})
	for _, want := range []string{"head", "| rooms-of-100 * |", "| 7.25 | 7.00 | 1.04 |", "**1**", "**no**", "nebula: 3 deliveries lost"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}

func TestChoose_ByName(t *testing.T) {
	if got := choose("room", false); len(got) != 3 {
		t.Errorf("got %d rows, want 3", len(got))
	}
	for _, r := range choose("", true) {
		if r.clients == 0 || r.clients > 2000 || r.mode != "idle" && r.rooms == 0 {
			t.Errorf("quick: got %+v", r)
		}
	}
}
