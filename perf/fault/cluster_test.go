package main

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// smallCluster is a run of a few seconds on three nodes.
func smallCluster(seed uint64) Config {
	cfg := small(seed)
	cfg.Nodes, cfg.Rate = 3, 600
	return cfg
}

func TestRun_ClusterKeepsItsPromises(t *testing.T) {
	t.Parallel()
	const lasts = 500 * time.Millisecond
	strikes := []Strike{
		{Blow: Kill, Node: 0}, {Blow: BusKill}, {Blow: Term, Node: 1}, {Blow: BusBack}, {Blow: Stall, Node: 2}, {Blow: BusEmpty},
	}
	for i := range strikes {
		strikes[i].After, strikes[i].For = 200*time.Millisecond, lasts
	}
	got := try(t, smallCluster(11), strikes, nil)
	if !got.Kept {
		t.Errorf("broken:\n%s", strings.Join(got.Sentences, "\n"))
	}
	if got.Acked == 0 || got.Counts.Resends == 0 || got.Resumes == 0 || got.Probes == 0 || got.Starts < 3+2+3+3 {
		t.Errorf("the run did not do what it is for: %+v", got)
	}
}

func TestPlanCluster_HasEveryBlow(t *testing.T) {
	blows := make(map[Blow]int)
	for _, s := range planCluster(rand.New(rand.NewPCG(1, 0)), len(deck()), 3) {
		blows[s.Blow]++
		lasts, ok := spans()[s.Blow]
		if s.Node < 0 || s.Node > 2 || s.After < minLife || s.After > maxLife || ok != (s.For > 0) || s.For > lasts.high {
			t.Errorf("%+v", s)
		}
	}
	for _, blow := range deck() {
		if blows[blow] == 0 {
			t.Errorf("no %s", blow)
		}
	}
}
