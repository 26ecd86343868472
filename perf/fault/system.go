package main

import "nebula/perf/fault/verdict"

// System is what is under test: a server, or several that act as one. Addr and
// StartOf may be called from any goroutine, all else from one.
type System interface {
	// Start brings it up; it takes traffic when Start returns.
	Start() error
	// Addr is where a client connects now, "" nowhere.
	Addr(client int) string
	// Nodes is where each server is that takes traffic; all must have one history.
	Nodes() []string
	// Shared tells whether starts may share an epoch, because a bus gives it.
	Shared() bool
	// StartOf is the number of the start that a welcome's node tells.
	StartOf(node string) (int, bool)
	// Strike does what is to be done and mends it; it takes traffic when Strike
	// returns. A promise broken in doing so goes to faults, an error ends the run.
	Strike(s Strike, faults *verdict.Faults) error
	// Starts is how many there were.
	Starts() int
	// Drained is the starts that ended with a clean stop.
	Drained() map[int]bool
	// Log is the end of what it wrote, for people.
	Log() string
	// Close leaves nothing running.
	Close() error
}
