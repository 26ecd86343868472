//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"nebula/perf/meter"
	"nebula/perf/resp"
	"os"
	"time"
)

// measureWithin is how long everything but the build may take.
const measureWithin = 3 * time.Minute

// bench makes one measurement.
type bench struct {
	settings
	clock   meter.Clock
	stderr  io.Writer
	folder  string
	cluster *cluster
	result  *result
}

// measure makes everything that is asked for. With a result there is no error, but
// there may be faults in it.
func measure(ctx context.Context, s settings, stderr io.Writer) (r *result, err error) {
	clock, err := meter.NewClock()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "nebula-nodes-")
	if err != nil {
		return nil, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if s.binary == "" {
		fmt.Fprintln(stderr, "nodes: build")
		if s.binary, err = build(ctx, folder, "cmd/nebula"); err != nil {
			return nil, err
		}
	}
	if _, err := build(ctx, folder, "perf/relay"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, measureWithin)
	defer cancel()
	b := &bench{settings: s, clock: clock, stderr: stderr, folder: folder, result: newResult(ctx, s)}
	b.cluster, err = startCluster(ctx, folder, s.binary, s.nodes)
	if err == nil {
		err = errors.Join(b.latency(ctx), b.throughput(ctx))
	}
	if err = errors.Join(err, b.cluster.stop()); err != nil {
		return nil, err
	}
	b.result.conclude()
	return b.result, nil
}

// latency lets a talk through two nodes and the bare paths take turns.
func (b *bench) latency(ctx context.Context) error {
	talk, err := newTalk(b.clock, b.settings, b.cluster.addrs)
	if err != nil {
		return err
	}
	defer talk.close()
	every := time.Duration(float64(time.Second) / b.rate)
	n := int(b.turn / every)
	if _, err := talk.turn(ctx, min(n, 50), every); err != nil { // it warms up, and shows what an entry is
		return err
	}
	paths := []path{talk}
	if b.result.EntryBytes, err = b.entrySize(); err != nil {
		return err
	}
	for _, name := range []string{logLeg, channelLeg, scriptLeg} {
		bare, err := newBare(b.clock, name, b.cluster.busAddr, b.result.EntryBytes)
		if err != nil {
			return err
		}
		defer bare.close()
		paths = append(paths, bare)
	}
	hops, err := newHops(ctx, b.clock, b.settings, b.folder, b.cluster.busAddr, b.result.EntryBytes)
	if err != nil {
		return err
	}
	defer hops.close()
	paths = append(paths, hops)
	for _, p := range paths[1:] {
		if _, err := p.turn(ctx, min(n, 50), every); err != nil {
			return err
		}
	}
	for round := range b.turns {
		fmt.Fprintf(b.stderr, "nodes: latency, round %d of %d\n", round+1, b.turns)
		var legs []leg
		for i := range paths {
			measured, err := paths[(round+i)%len(paths)].turn(ctx, n, every)
			if err != nil {
				return err
			}
			legs = append(legs, measured...)
		}
		b.result.Latency = append(b.result.Latency, legs)
	}
	if t := talk.tally(); t.Lost+t.Doubled+t.Misordered > 0 {
		b.result.fault("latency: %d lost, %d doubled, %d misordered", t.Lost, t.Doubled, t.Misordered)
	}
	return nil
}

func (b *bench) entrySize() (int, error) {
	r, err := resp.Dial(b.cluster.busAddr)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	return entrySize(r, b.text)
}

// throughput lets the loads take turns.
func (b *bench) throughput(ctx context.Context) error {
	r, err := resp.Dial(b.cluster.busAddr)
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := gather(b.clock, b.settings, b.cluster.addrs)
	if err != nil {
		return err
	}
	for round := range b.loadRounds {
		for _, rate := range b.loads {
			fmt.Fprintf(b.stderr, "nodes: %.0f messages a second, round %d of %d\n", rate, round+1, b.loadRounds)
			l, fault := b.load(ctx, c, r, rate)
			if fault != nil {
				return errors.Join(fault, c.close())
			}
			b.result.add(l)
		}
	}
	return c.close()
}

// load plays one load, and meters the servers at the edges of its window.
func (b *bench) load(ctx context.Context, c *crowd, r *resp.Conn, rate float64) (*load, error) {
	p := plan{start: b.clock.Now() + int64(10*time.Millisecond), rate: rate}
	p.window = p.start + int64(b.warm)
	p.end = p.window + int64(b.window(rate))
	p.until = p.end + int64(b.drain)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.run(ctx, p) }()
	from, to, err := b.edges(ctx, r, p)
	if err != nil {
		cancel()
		return nil, errors.Join(err, <-ended)
	}
	if err := <-ended; err != nil {
		return nil, err
	}
	return newLoad(c, to.usage.since(from.usage), time.Duration(to.at-from.at)), nil
}

// edge is what the servers had used at a moment.
type edge struct {
	at    int64
	usage usage
}

func (b *bench) edges(ctx context.Context, r *resp.Conn, p plan) (from, to edge, err error) {
	if from, err = b.edge(ctx, r, p.window); err != nil {
		return from, to, err
	}
	to, err = b.edge(ctx, r, p.end)
	return from, to, err
}

// edge waits for a moment and reads the counters.
func (b *bench) edge(ctx context.Context, r *resp.Conn, at int64) (edge, error) {
	select {
	case <-ctx.Done():
		return edge{}, ctx.Err()
	case <-time.After(time.Duration(at - b.clock.Now())):
	}
	used, err := b.cluster.read(r)
	return edge{b.clock.Now(), used}, err
}
