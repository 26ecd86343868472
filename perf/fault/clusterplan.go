package main

import (
	"math/rand/v2"
	"time"
)

// Blows that only a cluster bears.
const (
	HoldLong Blow = "hold-long" // SIGSTOP for longer than a node's lease, then SIGCONT
	Away     Blow = "away"      // SIGKILL, and back with the next strike, when its lease has ended
	KillTwo  Blow = "kill-two"  // SIGKILL of two nodes
	Roll     Blow = "roll"      // a clean stop and a start of one node after the other
	Stall    Blow = "stall"     // nothing comes through between a node and the bus, for a while
	Unplug   Blow = "unplug"    // a node's connections to the bus end, and new ones at once, for a while
	Alone    Blow = "alone"     // one node only hears the bus for a while; then the bus is as it was before
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
		HoldLong: {10 * time.Second, 13 * time.Second},
		Alone:    {time.Second, 4 * time.Second},
		Stall:    {time.Second, 8 * time.Second}, Unplug: {time.Second, 6 * time.Second},
		BusKill: {0, 2 * time.Second}, BusEmpty: {0, time.Second}, BusBack: {time.Second, 4 * time.Second},
		BusHold: {time.Second, 10 * time.Second},
	}
}

// deck is how often each blow comes in a round.
func deck() []Blow {
	return []Blow{
		Kill, Kill, Kill, KillEarly, KillHeld, Term, Term, Hold, Hold, HoldLong, Away, KillTwo, KillAll, Roll,
		Stall, Unplug, Alone, BusKill, BusKill, BusEmpty, BusBack, BusHold, BusCut,
	}
}

// pairs is what may come together, and how often it does in a round.
func pairs() (ofNodes, ofBus []Blow, times int) {
	return []Blow{Kill, KillEarly, KillHeld, Term, Hold, Away, KillTwo, KillAll, Roll, Stall, Unplug},
		[]Blow{BusKill, BusEmpty, BusBack, BusHold, BusCut}, 7
}

// round is every blow, and some pairs, in any order.
func round(chance *rand.Rand) (strikes []Strike) {
	for _, blow := range deck() {
		strikes = append(strikes, Strike{Blow: blow})
	}
	ofNodes, ofBus, times := pairs()
	for range times {
		s := Strike{Blow: ofNodes[chance.IntN(len(ofNodes))], Bus: ofBus[chance.IntN(len(ofBus))]}
		if s.Blow == KillAll && s.Bus != BusKill && s.Bus != BusHold {
			s.Bus = BusCut // what was seen, and not committed before the kill, would be nowhere
		}
		strikes = append(strikes, s)
	}
	chance.Shuffle(len(strikes), func(i, j int) { strikes[i], strikes[j] = strikes[j], strikes[i] })
	return strikes
}

// planCluster draws a schedule: rounds, the last one cut short.
func planCluster(chance *rand.Rand, kills, nodes int) []Strike {
	var strikes []Strike
	for len(strikes) < kills {
		for _, s := range round(chance) {
			s.After, s.Node = between(chance, minLife, maxLife), chance.IntN(nodes)
			s.For = lasts(chance, s.Blow)
			if s.Bus != "" {
				s.BusLag, s.BusFor = between(chance, 0, maxLife), lasts(chance, s.Bus)
			}
			strikes = append(strikes, s)
		}
	}
	return strikes[:kills]
}

func lasts(chance *rand.Rand, blow Blow) time.Duration {
	s, ok := spans()[blow]
	if !ok {
		return 0
	}
	return between(chance, s.low, s.high)
}
