package main

import (
	"math/rand/v2"
	"nebula/perf/fault/verdict"
	"os"
	"path/filepath"
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

// disaster is a cluster of which the last KillAll leaves nothing but what is checkpointed:
// all write-ahead logs go, and the bus.
type disaster struct {
	*cluster
	work string
}

func (d *disaster) Strike(s Strike, faults *verdict.Faults) error {
	if s.Blow != KillAll {
		return d.cluster.Strike(s, faults)
	}
	for _, n := range d.nodes {
		if err := n.Kill(killWithin); err != nil {
			return err
		}
		for _, end := range []string{"-wal", "-shm"} {
			if err := os.Remove(filepath.Join(d.work, n.name, "nebula.db"+end)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
	}
	if err := d.hitBus(BusEmpty, 0, 0); err != nil {
		return err
	}
	return d.bringUp(d.nodes...)
}

// TestRun_ClusterLossIsCaught is the negative control.
func TestRun_ClusterLossIsCaught(t *testing.T) {
	t.Parallel()
	strikes := []Strike{{Blow: Hold, After: 500 * time.Millisecond, For: 100 * time.Millisecond}}
	cfg := smallCluster(12)
	cfg.Probes = 0 // a client that knows more than the cluster waits a second each
	got := try(t, cfg, strikes, func(work string, sys System) System { return &disaster{sys.(*cluster), work} })
	if got.Kept || got.Faults[verdict.Lost] == 0 {
		t.Fatalf("acked messages were thrown away, and the verdict is %+v", got)
	}
}

func TestPlanCluster_HasEveryBlow(t *testing.T) {
	blows := make(map[Blow]int)
	for _, s := range planCluster(rand.New(rand.NewPCG(1, 0)), 30, 3) {
		blows[s.Blow]++
		if s.Bus != "" {
			blows["pair"]++
		}
		_, lasts := spans()[s.Blow]
		if s.Node < 0 || s.Node > 2 || s.After < minLife || s.After > maxLife || lasts != (s.For > 0) {
			t.Errorf("%+v", s)
		}
	}
	if blows["pair"] == 0 {
		t.Error("no two at a time")
	}
	for _, blow := range deck() {
		if blows[blow] == 0 {
			t.Errorf("no %s", blow)
		}
	}
}
