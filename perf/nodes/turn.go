//go:build linux

package main

import (
	"context"
	"errors"
	"nebula/perf/hist"
	"sync"
	"time"
)

// comeWithin is how long the last message of a turn may take.
const comeWithin = 5 * time.Second

// leg is a way whose length was measured, in one turn.
type leg struct {
	Name string       `json:"name"`
	Took hist.Summary `json:"took"`
}

// path is something that messages are sent through. Its methods belong to one goroutine.
type path interface {
	// turn sends n messages, one at a time and every so often, and waits until all have come.
	turn(ctx context.Context, n int, every time.Duration) ([]leg, error)
	close()
}

// pace calls send n times, every so often, until one fails.
func pace(ctx context.Context, n int, every time.Duration, send func(k int) error) error {
	began := time.Now()
	for k := range n {
		time.Sleep(time.Until(began.Add(time.Duration(k) * every)))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := send(k); err != nil {
			return err
		}
	}
	return nil
}

// together runs all parts, each on a goroutine, and waits for their ends. When one
// fails, or ctx ends, hangUp has to end the others.
func together(ctx context.Context, hangUp func(), parts ...func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, hangUp)() // stops it, where all went well
	faults := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() {
			if faults[i] = part(); faults[i] != nil {
				cancel()
			}
		})
	}
	all.Wait()
	return errors.Join(faults...)
}
