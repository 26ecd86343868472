//go:build linux

package main

import (
	"maps"
	"nebula/perf/check"
	"nebula/perf/hist"
	"slices"
	"time"
)

// quantiles are of durations, in milliseconds.
type quantiles struct {
	P50 float64 `json:"p50_ms"`
	P99 float64 `json:"p99_ms"`
}

func quantilesOf(h *hist.Hist) quantiles {
	s := h.Summary()
	return quantiles{s.P50, s.P99}
}

// load is what came of one load, or the medians of several.
type load struct {
	Asked float64 `json:"asked_per_second"`
	Sent  float64 `json:"sent_per_second"`
	Acked float64 `json:"acked_per_second"`

	Ack    quantiles `json:"ack"`
	Across quantiles `json:"delivery_other_node"`
	Same   quantiles `json:"delivery_same_node"`

	NodesCores float64 `json:"nodes_cores"` // CPU time of all nodes over time
	BusCores   float64 `json:"bus_cores"`
	Commands   float64 `json:"bus_commands_per_second"`
	Scripts    float64 `json:"bus_script_calls_per_second"`
	In         float64 `json:"bus_bytes_in_per_second"`
	Out        float64 `json:"bus_bytes_out_per_second"`

	Busy float64 `json:"generator_busy"`        // share of the window in which the loop did not sleep
	Late float64 `json:"generator_late_p99_ms"` // from due to sent

	Refused map[string]int `json:"refused"` // answers that are errors, by code
	Tally   check.Tally    `json:"tally"`
	Faults  []string       `json:"faults"`
}

// newLoad reads what a crowd saw, and what the servers used in about the same time.
func newLoad(c *crowd, used usage, during time.Duration) *load {
	s, p := &c.seen, c.plan
	perSecond := func(n int) float64 { return float64(n) * 1e9 / float64(p.end-p.window) }
	tally := s.tally
	tally.Lost += c.undelivered()
	return &load{
		Asked: p.rate, Sent: perSecond(s.sent), Acked: perSecond(s.acked),
		Ack: quantilesOf(&s.ack), Across: quantilesOf(&s.across), Same: quantilesOf(&s.same),
		NodesCores: used.nodes.Seconds() / during.Seconds(), BusCores: used.bus.Seconds() / during.Seconds(),
		Commands: used.commands / during.Seconds(), Scripts: used.scripts / during.Seconds(),
		In: used.in / during.Seconds(), Out: used.out / during.Seconds(),
		Busy: max(0, 1-float64(s.waited)/float64(p.end-p.window)), Late: quantilesOf(&s.late).P99,
		Refused: s.refused, Tally: tally, Faults: c.faults(),
	}
}

// figures are all that medians are made of, always in this order.
func (l *load) figures() []*float64 {
	return []*float64{
		&l.Sent, &l.Acked, &l.Ack.P50, &l.Ack.P99, &l.Across.P50, &l.Across.P99, &l.Same.P50, &l.Same.P99,
		&l.NodesCores, &l.BusCores, &l.Commands, &l.Scripts, &l.In, &l.Out, &l.Busy, &l.Late,
	}
}

// mediansOf has one load for each rate; what is counted is added up.
func mediansOf(all []*load) (medians []*load) {
	rates := make(map[float64][]*load)
	for _, l := range all {
		rates[l.Asked] = append(rates[l.Asked], l)
	}
	for _, rate := range slices.Sorted(maps.Keys(rates)) {
		m := &load{Asked: rate, Refused: make(map[string]int)}
		for i, to := range m.figures() {
			var values []float64
			for _, l := range rates[rate] {
				values = append(values, *l.figures()[i])
			}
			*to = hist.Median(values)
		}
		for _, l := range rates[rate] {
			m.Tally.Add(l.Tally)
			m.Faults = append(m.Faults, l.Faults...)
			for code, n := range l.Refused {
				m.Refused[code] += n
			}
		}
		medians = append(medians, m)
	}
	return medians
}
