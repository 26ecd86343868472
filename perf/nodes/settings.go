//go:build linux

package main

import "time"

// settings are the sizes of a run.
type settings struct {
	binary string // the server; "": it is built
	nodes  int
	text   int // of a message, bytes

	// Latency.
	turns     int           // of each path
	turn      time.Duration // length of one
	rate      float64       // messages a second
	talkRooms int

	// Load.
	loads      []float64 // messages a second; 0: at rest
	loadRounds int
	warm, last time.Duration // before the window, and its length
	drain      time.Duration // longest wait for what is on its way
	rooms      int           // each with one member on each node
	unacked    int           // messages of a client that may wait for their answer
}

// full is what the figures are made with.
func full() settings {
	return settings{
		nodes: 3, text: 128,
		turns: 5, turn: 2 * time.Second, rate: 200, talkRooms: 4,
		loads: []float64{0, 1000, 10_000, 100_000}, loadRounds: 3,
		warm: 500 * time.Millisecond, last: 7500 * time.Millisecond, drain: 10 * time.Second,
		rooms: 100, unacked: 32,
	}
}

// quick is small, and does everything once.
func (s settings) quick() settings {
	s.turns, s.turn = 1, 200*time.Millisecond
	s.loadRounds, s.warm, s.last = 1, 100*time.Millisecond, time.Second
	s.loads = []float64{0, 100, 1000, 10_000}
	return s
}

// restFor is how long the cluster is metered at rest, at most.
const restFor = 3 * time.Second

// window is how long to measure under a load.
func (s settings) window(rate float64) time.Duration {
	if rate == 0 {
		return min(restFor, s.last)
	}
	return s.last
}
