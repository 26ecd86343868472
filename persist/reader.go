package persist

import (
	"errors"
	"nebula/shard"
	"sync"
	"sync/atomic"
)

const (
	readers    = 2    // goroutines, each with a connection
	maxReplays = 1024 // questions that may wait
)

var errClosed = errors.New("persist: the store is closed")

// pool is the readers and their questions. Any goroutine.
type pool struct {
	// Static after construction.
	s        *Store
	replayed func(shard.Answer)
	box      chan shard.Request // as many as may be open, so that sending never blocks
	all      []*reader

	// Guarded by mu: whoever asks holds it to read, so that after shut nobody is
	// about to ask.
	mu     sync.RWMutex
	closed bool

	// Atomic.
	open   atomic.Int64 // questions that were taken and not yet answered
	ending atomic.Bool  // answer errClosed to what is left

	running sync.WaitGroup
}

// ask takes a question, to be answered when the queue lets it; false: too many wait.
func (p *pool) ask(req shard.Request, q *queue) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	if p.open.Add(1) > maxReplays {
		p.open.Add(-1)
		return false
	}
	if req.Kind != shard.Load || !q.park(req) {
		p.box <- req
	}
	return true
}

// post hands a question that was parked to the readers; it never blocks.
func (p *pool) post(req shard.Request) { p.box <- req }

// start starts the readers.
func (p *pool) start() {
	for _, r := range p.all {
		p.running.Go(r.run)
	}
}

// shut refuses every further question.
func (p *pool) shut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
}

// end refuses what still waits and awaits the readers. Nobody may post any more.
func (p *pool) end(parked []shard.Request) {
	p.ending.Store(true)
	for _, req := range parked {
		p.answer(shard.Answer{Request: req, Err: errClosed})
	}
	close(p.box)
	p.running.Wait()
}

// answer gives the answer to whoever asked.
func (p *pool) answer(a shard.Answer) {
	p.open.Add(-1)
	p.replayed(a)
}

// reader is a goroutine that answers questions over a connection of its own.
type reader struct {
	p *pool
	q queries
}

func (r *reader) run() {
	for req := range r.p.box {
		a := shard.Answer{Request: req, Err: errClosed}
		if !r.p.ending.Load() {
			r.read(&a)
		}
		r.p.answer(a)
	}
}

func (r *reader) read(a *shard.Answer) {
	if a.Kind == shard.Load {
		a.Err = r.q.load(a, r.p.s.cfg.Now()/1e6)
	} else {
		a.Err = r.q.older(a)
	}
	if a.Err == nil {
		return
	}
	for _, m := range a.Messages {
		m.Release()
	}
	*a = shard.Answer{Request: a.Request, Err: a.Err}
	r.p.s.errors.Add(1)
}
