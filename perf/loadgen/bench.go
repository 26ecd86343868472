//go:build linux

package main

import (
	"context"
	"io"
	"nebula/perf/load"
	"nebula/perf/meter"
	"strconv"
	"syscall"
	"time"
)

const (
	startIn    = 50 * time.Millisecond // a step's start lies that far ahead, so that every worker has heard of it
	lookEvery  = 100 * time.Millisecond
	calmAtMost = 10 * time.Second
)

// bench is one run: the server, the crew, and what came out. Owned by the main goroutine.
type bench struct {
	ctx     context.Context
	s       *settings
	stderr  io.Writer
	clock   meter.Clock
	run     string // marks its messages and rooms
	servers servers
	crew    crew
	result  *Result
}

// measure makes one run.
func measure(ctx context.Context, s *settings, stderr io.Writer) (*Result, error) {
	clock, err := meter.NewClock()
	if err != nil {
		return nil, err
	}
	b := &bench{
		ctx: ctx, s: s, stderr: stderr, clock: clock, run: strconv.FormatInt(clock.Now(), 36),
		servers: newServers(s, stderr), result: newResult(s),
	}
	defer b.servers.stop(syscall.SIGTERM)
	defer func() { b.crew.dismiss() }()
	if err := b.servers.start(ctx); err != nil {
		return nil, err
	}
	for _, m := range modes() {
		if m.name == s.mode {
			err = m.run(b)
		}
	}
	if err != nil {
		return nil, err
	}
	return b.result, nil
}

// connect hires everybody, and waits until presence has been silent for a while.
func (b *bench) connect() error {
	for i := range b.s.workers {
		ready, err := b.crew.hire(b.ctx, b.s.part(i, b.run), b.stderr)
		if err != nil {
			return err
		}
		b.result.connected(ready)
	}
	return b.calm()
}

func (b *bench) calm() error {
	err := b.crew.tell(func(int) load.Command { return load.Command{Do: load.DoCalm, Wait: int64(calmAtMost)} })
	if err != nil {
		return err
	}
	return b.crew.hear(func(load.Answer) {})
}

// usage is what the server used in a window.
type usage struct {
	cpu       meter.CPU
	rss, most int64 // at the window's start, the most in the step
}

// step lets the crew make one step while the server is metered; middle, if any, is
// called in the middle of the window, and then the server is not metered.
func (b *bench) step(rate float64, middle func() error) (*load.Report, *usage, error) {
	start := b.clock.Now() + int64(startIn)
	plan := b.s.plan(start, rate)
	apart := int64(0) // between the workers' messages
	if rate > 0 {
		apart = int64(float64(time.Second) / rate)
	}
	if err := b.crew.tell(func(i int) load.Command {
		own := plan
		own.Start += int64(i) * apart
		return load.Command{Do: load.DoStep, Plan: own}
	}); err != nil {
		return nil, nil, err
	}
	report := new(load.Report)
	heard := make(chan error, 1)
	go func() {
		heard <- b.crew.hear(func(a load.Answer) {
			if a.Step != nil {
				report.Add(a.Step)
			}
		})
	}()
	used, err := b.watch(plan, middle, heard)
	return report, used, err
}

// watch meters the server until the crew has been heard.
func (b *bench) watch(plan load.Plan, middle func() error, heard <-chan error) (*usage, error) {
	from := plan.Start + plan.Warm
	to := from + plan.For
	if middle != nil {
		b.sleep(from + plan.For/2)
		fault := middle()
		if err := <-heard; err != nil {
			return nil, err
		}
		return nil, fault
	}
	if !b.servers.metered() {
		return nil, <-heard
	}
	var used usage
	b.sleep(from)
	before, rss, err := b.servers.use()
	if err != nil {
		return nil, err
	}
	used.rss, used.most = rss, rss
	for open, done := true, false; !done; {
		wait := lookEvery
		if open {
			wait = min(wait, time.Duration(to-b.clock.Now()))
		}
		select {
		case err := <-heard:
			if err != nil {
				return nil, err
			}
			done = true
		case <-time.After(wait):
		}
		now, rss, err := b.servers.use()
		if err != nil {
			return nil, err
		}
		used.most = max(used.most, rss)
		if open && (done || b.clock.Now() >= to) {
			open = false
			used.cpu = now.Sub(before)
		}
	}
	return &used, nil
}

// sleep waits for a time of the clock, or for the end of the run.
func (b *bench) sleep(until int64) {
	select {
	case <-b.ctx.Done():
	case <-time.After(time.Duration(until - b.clock.Now())):
	}
}
