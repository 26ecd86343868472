package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// receiver is the one goroutine that applies a partition's entries, and that brings
// the partition back after the bus lost something. It alone knows the place.
type receiver struct {
	// Static after construction.
	*core
	p    *partition
	lane lane

	// Owned by the receiver's goroutine.
	place   Pos    // of the newest entry that Rooms took
	epoch   uint64 // open, and place is part of it: its live entries may follow; 0: none
	target  uint64 // open as far as is known; it becomes epoch once place was seen to be part of it
	highest uint64 // of all epochs ever seen: one below it means that the bus lost something
	goal    uint64 // N that the log had when this node came
	known   bool   // goal is
	behind  bool   // the log holds more
	look    bool   // the head is to be looked at
	held    string // an entry that Rooms refused; it is offered again before anything else
	heldPos Pos
	bounds  map[uint64]uint64 // epoch -> n of its first entry, as the bus said when place was part of it
	owed    []Kept            // that rejoin put into the log, and that did not come back yet
	owedAt  Pos               // of the last entry that holds some of them
	ask     int64             // entries to ask for in a page
	entry   Entry
	live    []string
	retry   backoff
	failing bool // the last turn failed, and the log says so
}

// errHeld means that Rooms does not take an entry now.
var errHeld = errors.New("bus: the node takes no entry now")

// errWait means that other nodes are waited for.
var errWait = errors.New("bus: waiting for other nodes to put back what the log lost")

// run receives until Close.
func (r *receiver) run() {
	r.setPlace(r.ledger.Place(r.p.index))
	r.look, r.ask, r.retry = true, pageFirst, r.cfg.pace.retry
	r.entry.Partition, r.bounds = r.p.index, map[uint64]uint64{}
	for r.ctx.Err() == nil {
		err := r.turn()
		r.report(err)
		if errors.Is(err, errWait) {
			r.retry.reset() // others are about to go on
		}
		if err != nil {
			r.sleep(r.retry.wait())
			continue
		}
		r.retry.reset()
		if r.look && r.p.reachable.Load() && !r.p.stale.Load() {
			continue // found while catching up
		}
		select {
		case <-r.p.inbox.wake:
		case <-r.ctx.Done():
		}
	}
}

// report logs what keeps the partition from going on, once.
func (r *receiver) report(err error) {
	if errors.Is(err, errWait) || r.ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && !r.failing:
		r.log.Warn("a partition does not go on", "partition", r.p.index, "n", r.place.N, "err", err)
	case err == nil && r.failing:
		r.log.Info("a partition goes on", "partition", r.p.index, "n", r.place.N)
	}
	r.failing = err != nil
}

// turn does what the inbox and the flags ask for. After an error the flags still
// stand, for the next turn.
func (r *receiver) turn() error {
	news := r.p.inbox.take(r.live)
	r.live = news.live
	r.behind = r.behind || news.behind
	r.look = r.look || news.look
	if news.resume && r.p.stale.Load() {
		r.resume()
	}
	if r.p.stale.Load() {
		return nil
	}
	if r.held != "" {
		if err := r.offer(); err != nil {
			clear(news.live) // the log has it
			return err
		}
	}
	if err := r.hearAll(news.live); err != nil {
		return err
	}
	if !r.p.reachable.Load() {
		return nil // the watcher tells when it is worth trying
	}
	if r.look {
		if err := r.lookAround(); err != nil {
			return err
		}
	}
	if r.behind && r.target != 0 && !r.look {
		return r.catchUp()
	}
	return nil
}

// hearAll takes live entries. When Rooms refuses one, those behind it are dropped: the
// log has them.
func (r *receiver) hearAll(live []string) error {
	defer clear(live)
	for _, s := range live {
		if err := r.hear(s); err != nil {
			return err
		}
	}
	return nil
}

// hear takes an entry from the channel. What does not follow directly is left to the
// log.
func (r *receiver) hear(s string) error {
	pos, ok := posOf(s)
	switch {
	case !ok: // of another version; an entry is found in the log, and not passed over
	case pos.Epoch != r.epoch:
		r.look = r.look || pos.Epoch > r.epoch
	case pos.N <= r.place.N: // read from the log meanwhile
	case pos.N == r.place.N+1:
		return r.apply(s, pos)
	case !r.behind:
		r.behind = true
		r.stats.gaps.Add(1)
	}
	return nil
}

// posOf returns the place of an encoded entry.
func posOf(s string) (Pos, bool) {
	if len(s) < headBytes || s[0] != kindEntry {
		return Pos{}, false
	}
	h := reader{rest: s[1:]}
	return Pos{Epoch: h.uint64(), N: h.uint64()}, true
}

// apply gives Rooms the next entry, or holds it if Rooms does not take it.
func (r *receiver) apply(s string, pos Pos) error {
	if err := r.entry.decode(s); err != nil {
		// Whoever wrote it knows a form that this node does not: it may not be passed over.
		r.behind = true
		return fmt.Errorf("entry %d of epoch %d: %w", pos.N, pos.Epoch, err)
	}
	if r.entry.Pos != pos {
		r.behind = true
		return fmt.Errorf("entry %d of epoch %d says %v: %w", pos.N, pos.Epoch, r.entry.Pos, errWire)
	}
	if !r.rooms.Apply(&r.entry) {
		r.held, r.heldPos, r.behind = s, pos, true
		return errHeld
	}
	r.setPlace(pos)
	if r.entry.Node == r.cfg.Node {
		r.own()
	}
	return nil
}

// own notes that an entry of this node's came back.
func (r *receiver) own() {
	at := now()
	r.stats.returned.Store(at)
	r.stats.lag.Observe(time.Duration(max(0, at-r.entry.Sent)).Seconds(), 1)
}

// offer gives Rooms the held entry again.
func (r *receiver) offer() error {
	s, pos := r.held, r.heldPos
	r.held = ""
	return r.apply(s, pos)
}

func (r *receiver) setPlace(pos Pos) {
	r.place = pos
	r.highest = max(r.highest, pos.Epoch)
	r.p.applied.Store(pos.N)
	if r.epoch == r.owedAt.Epoch && pos.N >= r.owedAt.N {
		r.owed = nil
	}
	if r.known && pos.N >= r.goal {
		r.p.caughtUp.Store(true)
	}
}

// resume starts again from the place that the database has now.
func (r *receiver) resume() {
	r.held = ""
	r.setPlace(r.ledger.Place(r.p.index))
	r.p.stale.Store(false)
	r.look, r.behind = true, true
}

// leave says that no epoch is open for this node.
func (r *receiver) leave() {
	r.epoch, r.target = 0, 0
	r.p.setEpoch(0)
}

// do makes one call, within the time that a call may take.
func (r *receiver) do(cmd rueidis.Completed) (rueidis.RedisMessage, error) {
	m, err := ask(r.ctx, r.lane, r.cfg.pace.call, func(ctx context.Context) (rueidis.RedisMessage, error) {
		return r.control.Do(ctx, cmd).ToMessage()
	})
	if err != nil {
		return m, refusedBy(err)
	}
	return m, nil
}
