//go:build linux

package main

import (
	"nebula/perf/hist"
	"nebula/perf/load"
)

const (
	bisections = 4  // after the first rate that was too much: to 1/16 of the interval
	doublings  = 12 // at most
)

// Try is one rate of a search.
type Try struct {
	Rate       float64      `json:"rate"`
	Deliveries float64      `json:"deliveries_per_second"`
	Latency    hist.Summary `json:"latency"`
	Cores      float64      `json:"server_cores"` // 0 where the server is not metered
	OK         bool         `json:"ok"`
	KeptUp     bool         `json:"generator_kept_up"`
}

// search doubles the rate until it is too much, and then halves the interval.
func (b *bench) search() error {
	if err := b.connect(); err != nil {
		return err
	}
	good, bad, rate := 0.0, 0.0, b.s.rate
	for tries := 0; tries < doublings+bisections; tries++ {
		report, used, err := b.step(rate, nil)
		if err != nil {
			return err
		}
		ok := b.try(rate, report, used)
		if ok {
			good = rate
			b.result.take(report, used) // the best one's figures are the result
		} else {
			bad = rate
		}
		switch {
		case bad == 0:
			rate *= 2
		case good == 0:
			rate /= 2
		default:
			rate = (good + bad) / 2
		}
		if good > 0 && bad > 0 && bad-good < (1.0/16)*good {
			break
		}
		if !ok {
			if err := b.calm(); err != nil {
				return err
			}
		}
	}
	if good == 0 {
		b.result.fault("no rate has a p99 under %v", b.s.limit)
	}
	return nil
}

// try notes one rate and tells whether it was good.
func (b *bench) try(rate float64, report *load.Report, used *usage) bool {
	t := Try{
		Rate: rate, Latency: report.Latency.Summary(), KeptUp: keptUp(report),
		Deliveries: float64(report.Deliveries) / report.Seconds,
	}
	if used != nil {
		t.Cores = used.cpu.Total.Seconds() / report.Seconds
	}
	late := report.Latency.Quantile(0.99) >= b.s.limit
	b.result.wantOrder(report) // at no rate may anything be lost
	t.OK = !late && report.Latency.Total() > 0 && sum(report.Closed) == 0 && report.Answers.Refused+report.Answers.Unsure == 0
	b.result.Search = append(b.result.Search, t)
	return t.OK
}
