package persist

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"zombiezen.com/go/sqlite"
)

// Guests at a time.
const (
	maxRecalls = 4 // in Stored
	maxCopies  = 2 // in Backup
)

// guests read on goroutines that are not the Store's, over a connection of their own
// each. Any goroutine.
type guests struct {
	// Static after construction.
	path    string
	recalls chan struct{} // seats
	copies  chan struct{} // seats
	end     context.Context
	stop    context.CancelFunc

	// Guarded by mu.
	mu     sync.Mutex
	closed bool

	running sync.WaitGroup
}

func (g *guests) init(path string) {
	g.path = path
	g.recalls, g.copies = make(chan struct{}, maxRecalls), make(chan struct{}, maxCopies)
	g.end, g.stop = context.WithCancel(context.Background())
}

// visit has use read, as many at a time as seats has room for. use must look at its
// context from time to time: it ends with ctx, or with the Store.
func (g *guests) visit(ctx context.Context, seats chan struct{}, use func(context.Context, *sqlite.Conn) error) error {
	if !g.enter() {
		return errClosed
	}
	defer g.running.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(g.end, cancel)()
	select {
	case seats <- struct{}{}:
		defer func() { <-seats }()
	case <-ctx.Done():
		return fmt.Errorf("persist: wait for a connection: %w", ctx.Err())
	}
	c, err := openConn(g.path, sqlite.OpenReadOnly)
	if err != nil {
		return fmt.Errorf("persist: open a connection: %w", err)
	}
	return errors.Join(use(ctx, c), c.Close())
}

// enter counts a guest in; false: the Store is closed.
func (g *guests) enter() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.running.Add(1)
	}
	return !g.closed
}

// shut sends all guests away and lets nobody in any more.
func (g *guests) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.stop()
}
