package main

import (
	"math/rand/v2"
	"time"
)

// Blows that only a cluster bears.
const (
	HoldLong Blow = "hold-long" // SIGSTOP for longer than a node's lease, then SIGCONT
	Away     Blow = "away"      // SIGKILL, and back after its lease has ended
	KillTwo  Blow = "kill-two"  // SIGKILL of two nodes
	Roll     Blow = "roll"      // a clean stop and a start of one node after the other
	Stall    Blow = "stall"     // nothing comes through between a node and the bus, for a while
	Unplug   Blow = "unplug"    // a node's connections to the bus end, and new ones at once, for a while
	BusKill  Blow = "bus-kill"  // SIGKILL of the bus, and back with its file
	BusEmpty Blow = "bus-empty" // the same, but the file is lost
	BusBack  Blow = "bus-back"  // the same, with a copy of the file of some seconds ago
	BusHold  Blow = "bus-hold"  // SIGSTOP of the bus, then SIGCONT
	BusCut   Blow = "bus-cut"   // the bus ends all connections
)

// span is how long a blow lasts.
type span struct{ low, high time.Duration }

// spans are those of a cluster that last. A lease ends after 9 s (bus).
func spans() map[Blow]span {
	return map[Blow]span{
		KillEarly: {0, maxBoot}, KillHeld: {minLife, maxHold}, Hold: {minLife, maxHold},
		HoldLong: {10 * time.Second, 13 * time.Second}, Away: {10 * time.Second, 14 * time.Second},
		Stall: {time.Second, 8 * time.Second}, Unplug: {time.Second, 6 * time.Second},
		BusKill: {0, 2 * time.Second}, BusEmpty: {0, time.Second}, BusBack: {time.Second, 4 * time.Second},
		BusHold: {time.Second, 10 * time.Second},
	}
}

// deck is how often each blow comes in a round.
func deck() []Blow {
	return []Blow{
		Kill, Kill, Kill, KillEarly, KillHeld, Term, Term, Hold, Hold, HoldLong, Away, KillTwo, KillAll, Roll,
		Stall, Unplug, BusKill, BusKill, BusEmpty, BusBack, BusHold, BusCut,
	}
}

// planCluster draws a schedule: rounds in which every blow comes, the last one cut short.
func planCluster(chance *rand.Rand, kills, nodes int) []Strike {
	var strikes []Strike
	for len(strikes) < kills {
		round := deck()
		chance.Shuffle(len(round), func(i, j int) { round[i], round[j] = round[j], round[i] })
		for _, blow := range round[:min(len(round), kills-len(strikes))] {
			s := Strike{Blow: blow, After: between(chance, minLife, maxLife), Node: chance.IntN(nodes)}
			if lasts, ok := spans()[blow]; ok {
				s.For = between(chance, lasts.low, lasts.high)
			}
			strikes = append(strikes, s)
		}
	}
	return strikes
}
