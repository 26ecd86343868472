package shard

import "time"

// The adaptive pace: no wait up to paceFrom of busy, then rising to paceMost at
// paceTo. What it gains: the trials in perf/README.md, and `go run ./perf/rows -only highest-rate`.
const (
	paceFrom = 0.4
	paceTo   = 0.8
	paceMost = 8 * time.Millisecond
)

// pace is the shortest time between two sends to one room, ns.
func pace(busy float64) int64 {
	share := (min(busy, paceTo) - paceFrom) / (paceTo - paceFrom)
	return int64(max(share, 0) * float64(paceMost))
}
