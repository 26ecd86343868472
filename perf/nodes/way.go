//go:build linux

package main

import "nebula/perf/hist"

// way is one leg's medians over all rounds.
type way struct {
	Name string `json:"name"`
	quantiles

	// Nebula's way across over it, medians of the ratios of each round; 0: a leg of Nebula's.
	OverP50 float64 `json:"nebula_across_over_p50"`
	OverP99 float64 `json:"nebula_across_over_p99"`
}

// ways compares Nebula's way across with every bare one, round by round.
func ways(rounds [][]leg) (all []way) {
	bare := func(name string) bool {
		return name == logLeg || name == channelLeg || name == scriptLeg || name == hopsLeg
	}
	for _, name := range []string{acrossLeg, sameLeg, ackLeg, logLeg, channelLeg, scriptLeg, hopsLeg} {
		var p50, p99, over50, over99 []float64
		for _, legs := range rounds {
			ours, it := find(legs, acrossLeg), find(legs, name)
			p50, p99 = append(p50, it.P50), append(p99, it.P99)
			if bare(name) && it.P50 > 0 && it.P99 > 0 {
				over50, over99 = append(over50, ours.P50/it.P50), append(over99, ours.P99/it.P99)
			}
		}
		all = append(all, way{name, quantiles{hist.Median(p50), hist.Median(p99)}, hist.Median(over50), hist.Median(over99)})
	}
	return all
}

// find is a leg by its name; zero where there is none.
func find(legs []leg, name string) quantiles {
	for _, l := range legs {
		if l.Name == name {
			return quantiles{l.Took.P50, l.Took.P99}
		}
	}
	return quantiles{}
}
