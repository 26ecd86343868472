//go:build linux

package main

import (
	"encoding/json"
	"nebula/perf/hist"
)

// figures are what the table shows of one run, or the medians of several.
type figures struct {
	PerDelivery   float64  `json:"cpu_us_per_delivery"`
	Ratio         float64  `json:"cpu_over_generator"`
	P50           float64  `json:"p50_ms"`
	P99           float64  `json:"p99_ms"`
	Last          float64  `json:"last_p50_ms"`
	PerSecond     float64  `json:"deliveries_per_second"`
	PerConnection float64  `json:"rss_bytes_per_connection"`
	MostRSS       float64  `json:"most_rss_bytes"`
	KeptUp        bool     `json:"generator_kept_up"` // in every run
	Faults        []string `json:"faults"`            // of any run
}

// bad tells that a promise was broken.
func (f figures) bad() bool { return len(f.Faults) > 0 }

// read takes the figures out of a result of loadgen.
func read(raw []byte) (figures, error) {
	var r struct {
		PerSecond float64 `json:"deliveries_per_second"`
		Latency   hist.Summary
		Last      hist.Summary
		Server    struct {
			PerDelivery float64 `json:"cpu_us_per_delivery"`
			Ratio       float64 `json:"cpu_over_generator"`
			MostRSS     float64 `json:"most_rss_bytes"`
		}
		Generator struct {
			KeptUp bool `json:"kept_up"`
		}
		Idle struct {
			PerConnection float64 `json:"rss_bytes_per_connection"`
		}
		Faults []string
	}
	err := json.Unmarshal(raw, &r)
	return figures{
		PerDelivery: r.Server.PerDelivery, Ratio: r.Server.Ratio, P50: r.Latency.P50, P99: r.Latency.P99,
		Last: r.Last.P50, PerSecond: r.PerSecond, PerConnection: r.Idle.PerConnection, MostRSS: r.Server.MostRSS,
		KeptUp: r.Generator.KeptUp, Faults: r.Faults,
	}, err
}

// medians takes each figure's median on its own.
func medians(runs []figures) figures {
	of := func(pick func(figures) float64) float64 {
		all := make([]float64, len(runs))
		for i, r := range runs {
			all[i] = pick(r)
		}
		return hist.Median(all)
	}
	m := figures{
		PerDelivery:   of(func(f figures) float64 { return f.PerDelivery }),
		Ratio:         of(func(f figures) float64 { return f.Ratio }),
		P50:           of(func(f figures) float64 { return f.P50 }),
		P99:           of(func(f figures) float64 { return f.P99 }),
		Last:          of(func(f figures) float64 { return f.Last }),
		PerSecond:     of(func(f figures) float64 { return f.PerSecond }),
		PerConnection: of(func(f figures) float64 { return f.PerConnection }),
		MostRSS:       of(func(f figures) float64 { return f.MostRSS }),
		KeptUp:        len(runs) > 0,
	}
	for _, r := range runs {
		m.KeptUp = m.KeptUp && r.KeptUp
		m.Faults = append(m.Faults, r.Faults...)
	}
	return m
}
