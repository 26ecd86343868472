//go:build linux

package main

import (
	"nebula/perf/hist"
	"strings"
	"testing"
)

const someInfo = "# Stats\r\ntotal_commands_processed:70\r\ntotal_net_input_bytes:1000\r\ntotal_net_output_bytes:3000\r\n" +
	"# Commandstats\r\ncmdstat_evalsha:calls=9,usec=1,usec_per_call=0.1\r\ncmdstat_eval:calls=5,usec=1\r\n"

func TestUsage_ReadsInfo(t *testing.T) {
	var u usage
	if err := u.readInfo(someInfo); err != nil || u != (usage{commands: 70, scripts: 9, in: 1000, out: 3000}) {
		t.Errorf("got %+v, %v", u, err)
	}
	if got := u.since(usage{commands: 20, scripts: 8, in: 1, out: 2, nodes: -3, bus: -4}); got != (usage{3, 4, 50, 1, 999, 2998}) {
		t.Errorf("got %+v", got)
	}
	for _, bad := range []string{"", strings.Replace(someInfo, ":70", ":x", 1), strings.Replace(someInfo, "evalsha", "other", 1)} {
		if err := u.readInfo(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

// round is one round whose times are given in ms.
func round(across, log, channel, script, hops float64) []leg {
	took := func(ms float64) hist.Summary { return hist.Summary{P50: ms, P99: 10 * ms} }
	return []leg{{acrossLeg, took(across)}, {sameLeg, took(1)}, {ackLeg, took(2)}, {logLeg, took(log)}, {channelLeg, took(channel)}, {scriptLeg, took(script)}, {hopsLeg, took(hops)}}
}

func TestWays_RatiosAreOfNeighbours(t *testing.T) {
	all := ways([][]leg{round(2, 2, 1, 2, 1), round(20, 10, 5, 20, 4), round(3, 1, 1, 1, 1)})
	for name, want := range map[string]way{
		acrossLeg: {Name: acrossLeg, quantiles: quantiles{3, 30}},
		logLeg:    {logLeg, quantiles{2, 20}, 2, 2},
		scriptLeg: {scriptLeg, quantiles{2, 20}, 1, 1},
	} {
		found := false
		for _, w := range all {
			if w.Name == name {
				found = true
				if w != want {
					t.Errorf("got %+v, want %+v", w, want)
				}
			}
		}
		if !found {
			t.Errorf("no %s", name)
		}
	}
}

func TestLoad_Medians(t *testing.T) {
	r := &result{}
	for i, acked := range []float64{9, 30, 20} {
		l := &load{Asked: 100, Acked: acked, Late: float64(i), Refused: map[string]int{"busy": 1}}
		if i == 2 {
			l.Tally.Lost, l.Faults = 4, []string{"4 deliveries lost"}
		}
		r.add(l)
	}
	r.add(&load{Asked: 0, Commands: 5})
	r.conclude()
	if len(r.Medians) != 2 || len(r.Faults) != 1 {
		t.Fatalf("got %d medians, %q", len(r.Medians), r.Faults)
	}
	rest, m := r.Medians[0], r.Medians[1]
	if rest.Commands != 5 || m.Asked != 100 || m.Acked != 20 || m.Late != 1 || m.Refused["busy"] != 3 || m.Tally.Lost != 4 || len(m.Faults) != 1 {
		t.Errorf("got %+v, %+v", rest, m)
	}
	text := r.markdown()
	for _, want := range []string{"| at rest |", "3 busy", "4 / 0 / 0", "**100 messages a second: 4 deliveries lost**"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestResult_SaysWhetherTheBarIsMet(t *testing.T) {
	for ratio, want := range map[float64]string{1.4: "≤ 1.5 | yes |", 1.6: "≤ 1.5 | **no** |"} {
		r := &result{Latency: [][]leg{round(ratio, 1, 1, 1, 1)}}
		r.conclude()
		if text := r.markdown(); !strings.Contains(text, want) {
			t.Errorf("%v: no %q in\n%s", ratio, want, text)
		}
	}
}
