//go:build linux

package main

import "fmt"

// pair is the medians of one row; floor is empty where the floor does not do it.
type pair struct {
	row   row
	ours  figures
	floor figures
	ratio float64 // CPU a delivery, ours over the floor's: median of neighbours
}

func nearFloor(p pair) (string, bool) {
	return fmt.Sprintf("≤ %.2f × floor", overUs), p.ratio > 0 && p.ratio <= overUs && !p.ours.bad()
}

// lanes is when the last member was served, over the time one core needs for all.
func (p pair) lanes() float64 {
	if p.ours.PerDelivery == 0 || p.row.rooms == 0 {
		return 0
	}
	oneCore := p.ours.PerDelivery * float64(p.row.clients/p.row.rooms) / 1000 // ms
	return p.ours.Last / oneCore
}

func nearFloorAndLanes(p pair) (string, bool) {
	bar, met := nearFloor(p)
	return fmt.Sprintf("%s; last served in ≤ %.2f of one core's time", bar, lastCore), met && p.lanes() <= lastCore
}

func p99Under(ms float64) func(pair) (string, bool) {
	return func(p pair) (string, bool) {
		return fmt.Sprintf("p99 < %v ms", ms), p.ours.P99 > 0 && p.ours.P99 < ms && !p.ours.bad()
	}
}

func perSecondOver(n float64) func(pair) (string, bool) {
	return func(p pair) (string, bool) {
		return fmt.Sprintf("> %.2f M deliveries/s", n/1e6), p.ours.PerSecond > n && !p.ours.bad()
	}
}

func bytesUnder(n float64) func(pair) (string, bool) {
	return func(p pair) (string, bool) {
		return fmt.Sprintf("≤ %.0f bytes", n), p.ours.PerConnection > 0 && p.ours.PerConnection <= n && !p.ours.bad()
	}
}

func noFault(p pair) (string, bool) { return "no fault", !p.ours.bad() }
