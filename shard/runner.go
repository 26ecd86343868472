package shard

import (
	"sync"
	"time"
)

// boxKeep is the most commands that an empty mailbox keeps room for.
const boxKeep = 1024

// Runner drives one Shard: a mailbox and the turns that work it off.
type Runner struct {
	// Static after construction.
	shard *Shard
	cfg   *Config
	wake  chan struct{} // to run: one turn is wanted
	done  chan struct{} // closed by close
	ended chan struct{} // closed by run

	// Guarded by mu.
	mu      sync.Mutex
	box     []Command
	running bool // somebody is in a turn
	closed  bool
	free    sync.Cond // on mu: running became false after closed

	// Owned by the turn.
	spare []Command
	next  int64 // when the shard wants a turn by itself, Unix ns
}

// newRunner returns a Runner whose goroutine, run, is to be started.
func newRunner(s *Shard) *Runner {
	r := &Runner{
		shard: s, cfg: s.cfg, next: never,
		wake: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}),
	}
	r.free.L = &r.mu
	return r
}

// post puts cmd in the mailbox. false: it may be refused, and is; the caller keeps
// its Body. Of what may not be refused, a Join that finds far too many waiting, and
// all that comes after close, is answered or dropped here.
func (r *Runner) post(cmd *Command) bool {
	r.mu.Lock()
	closed := r.closed
	if closed || len(r.box) >= r.cfg.mayWait(cmd.Kind) {
		r.mu.Unlock()
		return turnAway(cmd, closed)
	}
	r.box = append(r.box, *cmd)
	r.mu.Unlock()
	return true
}

// work runs a turn here if nobody is in one, and one more if commands came
// meanwhile; what comes after that is left to the Runner's goroutine, so that an
// event loop gets back to its sockets.
func (r *Runner) work() {
	r.mu.Lock()
	if r.running || r.closed || len(r.box) == 0 {
		r.mu.Unlock()
		return
	}
	r.running = true
	before := r.next
	r.turn()
	if len(r.box) > 0 {
		r.turn()
	}
	nudge := len(r.box) > 0 || r.next < before
	r.rest()
	r.mu.Unlock()
	if nudge {
		r.nudge()
	}
}

// rest ends a turn; mu must be held.
func (r *Runner) rest() {
	r.running = false
	if r.closed {
		r.free.Broadcast()
	}
}

func (r *Runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// turn works off the mailbox. Only whoever set running may call it, with mu held,
// which it lets go of meanwhile.
func (r *Runner) turn() {
	box := r.box
	r.box, r.spare = r.spare, nil
	r.mu.Unlock()
	now := r.cfg.Now()
	for i := range box {
		r.shard.step(now, &box[i])
	}
	clear(box)
	if cap(box) <= boxKeep {
		r.spare = box[:0]
	}
	r.next = r.shard.EndTurn(now)
	r.mu.Lock()
}

// run is the Runner's own goroutine: it takes the turns that time asks for, and
// those that work left.
func (r *Runner) run() {
	defer close(r.ended)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-r.wake:
		case <-timer.C:
		case <-r.done:
			return
		}
		timer.Reset(r.ownTurn())
	}
}

// ownTurn takes a turn if there is anything to do now, and returns how long there
// will be nothing unless somebody posts.
func (r *Runner) ownTurn() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return time.Hour
	}
	if r.running { // whoever runs nudges if something is left, but not if time is up
		return time.Millisecond
	}
	r.running = true
	if len(r.box) > 0 || r.next <= r.cfg.Now() {
		r.turn()
	}
	wait := time.Duration(min(max(r.next-r.cfg.Now(), 0), int64(time.Hour)))
	if len(r.box) > 0 {
		wait = 0
	}
	r.rest()
	return wait
}

// close ends the goroutine and releases what waits. Who posts from here on is
// refused; who works is waited for.
func (r *Runner) close() {
	r.mu.Lock()
	r.closed = true
	for r.running {
		r.free.Wait()
	}
	box := r.box
	r.box = nil
	r.mu.Unlock()
	close(r.done)
	<-r.ended
	for i := range box {
		if body := box[i].Body; body != nil {
			body.Release()
		}
		if a := box[i].answer; a != nil {
			a.release()
		}
	}
	r.shard.Close()
}
