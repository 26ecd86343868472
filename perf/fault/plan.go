package main

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Blow is a kind of strike.
type Blow string

// The blows.
const (
	Kill      Blow = "kill"       // SIGKILL in full flow
	KillEarly Blow = "kill-early" // SIGKILL, and again while it starts
	KillHeld  Blow = "kill-held"  // SIGSTOP, then SIGKILL
	Term      Blow = "term"       // SIGTERM: a clean stop
	Hold      Blow = "hold"       // SIGSTOP, then SIGCONT
	KillAll   Blow = "kill-all"   // SIGKILL of all there are
	TermAll   Blow = "term-all"   // SIGTERM of all there are
	Failpoint Blow = "failpoint"  // it kills itself at a failpoint
	Trouble   Blow = "trouble"    // a step fails or takes long, at a failpoint; SIGKILL a little later
)

// Strike is one thing that is done to the system.
type Strike struct {
	Blow  Blow
	After time.Duration // of running
	For   time.Duration // how long it is held, or in trouble, or how far it comes in starting
	Point string        // of Failpoint and Trouble: the value of NEBULA_FAILPOINT
	Node  int           // of a cluster: who is struck

	// What is done to the bus of a cluster at the same time; "": nothing.
	Bus    Blow
	BusLag time.Duration // it begins so much later
	BusFor time.Duration
}

// String tells what is done, for people.
func (s Strike) String() string {
	text := fmt.Sprintf("%s of node %d", s.Blow, s.Node)
	if s.Point != "" {
		text += " at " + s.Point
	}
	if s.For > 0 {
		text += fmt.Sprintf(" for %v", s.For.Round(time.Millisecond))
	}
	if s.Bus != "" {
		text += fmt.Sprintf(" and, %v later, %s for %v", s.BusLag.Round(time.Millisecond), s.Bus, s.BusFor.Round(time.Millisecond))
	}
	return text
}

// Bounds of a strike's times.
const (
	minLife = 50 * time.Millisecond
	maxLife = 1500 * time.Millisecond
	maxHold = 1200 * time.Millisecond
	maxBoot = 100 * time.Millisecond
)

// plan draws a schedule: kills of three kinds, and for every five of them one clean
// stop and one hold in between.
func plan(chance *rand.Rand, kills int) []Strike {
	var blows []Blow
	for n := range kills {
		switch {
		case chance.IntN(5) == 0:
			blows = append(blows, KillEarly)
		case chance.IntN(8) == 0:
			blows = append(blows, KillHeld)
		default:
			blows = append(blows, Kill)
		}
		if n%5 == 2 {
			blows = append(blows, Term, Hold)
		}
	}
	chance.Shuffle(len(blows), func(i, j int) { blows[i], blows[j] = blows[j], blows[i] })
	strikes := make([]Strike, len(blows))
	for i, blow := range blows {
		strikes[i] = Strike{Blow: blow, After: between(chance, minLife, maxLife)}
		switch blow {
		case KillEarly:
			strikes[i].For = between(chance, 0, maxBoot)
		case KillHeld, Hold:
			strikes[i].For = between(chance, minLife, maxHold)
		}
	}
	return strikes
}

func between(chance *rand.Rand, low, high time.Duration) time.Duration {
	return low + time.Duration(chance.Int64N(int64(high-low)))
}
