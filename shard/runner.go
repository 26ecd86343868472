package shard

import (
	"sync"
	"time"
)

// Runner drives one Shard: a mailbox and the turns that work it off.
type Runner struct {
	// Static after construction.
	shard *Shard
	cfg   *Config
	wake  chan struct{} // to run: one turn is wanted
	done  chan struct{} // closed by Close
	ended chan struct{} // closed by run

	// Guarded by mu.
	mu      sync.Mutex
	box     []Command
	running bool // somebody is in a turn
	closed  bool

	// Owned by the turn.
	spare []Command
	next  int64 // when the shard wants a turn by itself, Unix ns
}

func newRunner(s *Shard) *Runner {
	r := &Runner{
		shard: s, cfg: s.cfg, next: never,
		wake: make(chan struct{}, 1), done: make(chan struct{}), ended: make(chan struct{}),
	}
	go r.run()
	return r
}

// post puts cmd in the mailbox. false: it is full, or closed, and cmd may be
// refused; the caller keeps its Body.
func (r *Runner) post(cmd Command) bool {
	mayRefuse := cmd.Kind == Say || cmd.Kind == Users || cmd.Kind == Page || cmd.Kind == Typing
	r.mu.Lock()
	defer r.mu.Unlock()
	if mayRefuse && (r.closed || len(r.box) >= r.cfg.Mailbox) {
		return false
	}
	r.box = append(r.box, cmd)
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
	r.mu.Unlock()
	before := r.next
	r.turn()
	r.mu.Lock()
	if len(r.box) > 0 {
		r.mu.Unlock()
		r.turn()
		r.mu.Lock()
	}
	r.running = false
	more := len(r.box) > 0 || r.next < before
	r.mu.Unlock()
	if more {
		r.nudge()
	}
}

func (r *Runner) nudge() {
	select {
	case r.wake <- struct{}{}:
	default: // it is awake
	}
}

// turn works off the mailbox. Only whoever set running may call it.
func (r *Runner) turn() {
	r.mu.Lock()
	box := r.box
	r.box = r.spare[:0]
	r.mu.Unlock()
	now := r.cfg.Now()
	for i := range box {
		r.shard.Step(now, box[i])
	}
	clear(box)
	r.spare = box
	r.next = r.shard.EndTurn(now)
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
		r.mu.Lock()
		if r.running { // whoever runs nudges again if something is left
			r.mu.Unlock()
			timer.Reset(time.Millisecond)
			continue
		}
		r.running = true
		r.mu.Unlock()
		if r.pendingWork() {
			r.turn()
		}
		next := r.next
		r.mu.Lock()
		r.running = false
		more := len(r.box) > 0
		r.mu.Unlock()
		if more {
			r.nudge()
		}
		timer.Reset(time.Duration(min(max(next-r.cfg.Now(), 0), int64(time.Hour))))
	}
}

// pendingWork tells whether a turn has anything to do now. Only whoever set
// running may call it.
func (r *Runner) pendingWork() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.box) > 0 || r.next <= r.cfg.Now()
}

// close ends the goroutine and releases what waits.
func (r *Runner) close() {
	close(r.done)
	<-r.ended
	for {
		r.mu.Lock()
		r.closed = true
		free := !r.running
		r.mu.Unlock()
		if free {
			break
		}
		time.Sleep(time.Millisecond)
	}
	for i := range r.box {
		release(r.box[i].Body)
		if a := r.box[i].answer; a != nil {
			for _, b := range a.Messages {
				b.Release()
			}
		}
	}
	r.box = nil
	r.shard.Close()
}
