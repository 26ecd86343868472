package bus

import (
	"fmt"
	"maps"
)

// catchUp reads the log from the place on until there is no more.
func (r *receiver) catchUp() error {
	for r.behind {
		pg, err := r.readPage(r.place, r.ask+1)
		if err != nil {
			return err
		}
		if !pg.open() || pg.epoch != r.target {
			r.look = true
			return nil
		}
		next, ok, err := r.following(pg)
		if err != nil || !ok {
			return err
		}
		if r.epoch != r.target {
			if err := r.enter(); err != nil {
				return err
			}
		}
		r.join(pg.head)
		size := 0
		for _, e := range next {
			size += len(e.bytes)
			if err := r.apply(e.bytes, e.Pos); err != nil {
				return err
			}
			r.stats.refilled.Add(1)
		}
		r.ask = nextCount(r.ask, size)
		r.behind = r.place.N < pg.n
	}
	return nil
}

// following returns those entries of the page that are to be applied. Not ok: there
// is no going on from this place; it has been seen to.
func (r *receiver) following(pg page) (next []logged, ok bool, err error) {
	next = pg.entries
	switch {
	case len(next) > 0 && next[0].Pos == r.place:
		next = next[1:]
	case r.place.N > 0:
		if ok, err := r.strayed(pg); err != nil || !ok {
			return nil, false, err
		}
	}
	if len(next) == 0 {
		if r.place.N < pg.n { // silence proves nothing: the log is shorter than its head says
			r.becomeStale(pg.n + 1)
			return nil, false, nil
		}
		return nil, true, nil
	}
	if next[0].N > r.place.N+1 {
		r.becomeStale(next[0].N)
		return nil, false, nil
	}
	for i, e := range next {
		if e.N != r.place.N+1+uint64(i) {
			return nil, false, fmt.Errorf("bus: the log has entry %d where %d belongs", e.N, r.place.N+1+uint64(i))
		}
	}
	return next, true, nil
}

// enter does what comes before join: it learns where the epochs begin, which the bus may
// lose, and sees to what a loss of the bus took from rejoin.
func (r *receiver) enter() error {
	firsts, err := r.epochs()
	if err != nil {
		return err
	}
	maps.Copy(r.bounds, firsts)
	if len(r.owed) == 0 {
		return nil
	}
	return r.restoreAll(r.owed, r.place.N, r.target)
}

// join opens the epoch for this node, whose place has been seen to be part of it.
func (r *receiver) join(h head) {
	if !r.known {
		r.goal, r.known = max(h.n, 1), true // of an empty log the entry that is asked for below
		r.setPlace(r.place)                 // there may be nothing to catch up with
	}
	if r.epoch == r.target && r.p.openEpoch() == r.epoch {
		return
	}
	r.epoch = r.target
	r.p.setEpoch(r.epoch)
	r.p.offline.Store(false)
	if r.place.Epoch != r.epoch && r.place.N == h.n {
		r.p.queue.askProbe() // an entry tells the rooms which epoch it is, before anybody joins with another one
	}
	r.log.Debug("a partition is open", "partition", r.p.index, "epoch", r.epoch, "n", r.place.N, "head", h.n)
}

// becomeStale stops until the node has a newer database.
func (r *receiver) becomeStale(first uint64) {
	r.log.Warn("the log does not reach back far enough", "partition", r.p.index, "n", r.place.N, "first", first)
	r.leave()
	r.p.offline.Store(true)
	r.p.stale.Store(true)
	r.rooms.Stale(r.p.index, first)
}
