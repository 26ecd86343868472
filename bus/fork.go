package bus

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// forkBytes bounds what is read of the database at once after a fork: it is what one
// node applied while it was apart from the bus that the others were on.
const forkBytes = 64 << 20

// strayed sees to a place that the log does not have. ok: the log merely does not
// reach back to it; it is still part of the log's past.
func (r *receiver) strayed(pg page) (ok bool, err error) {
	firsts, err := r.epochs()
	if err != nil {
		return false, err
	}
	common, forked := forkByEpochs(firsts, r.place, pg.epoch)
	covered := pg.first.N != 0 && pg.first.N <= common.N
	switch {
	case !forked && !covered:
		return true, nil
	case covered: // the fork may be older than the epochs tell
		if common, err = r.forkByEntries(pg.first, common); err != nil {
			return false, err
		}
	default:
		common = r.forkByBounds(firsts, common)
	}
	return false, r.rejoin(common, pg.epoch)
}

// forkByEpochs tells whether an epoch that followed on that of place began before
// place, which then is not part of it. common is not below the newest common place.
func forkByEpochs(firsts map[uint64]uint64, place Pos, upTo uint64) (common Pos, forked bool) {
	next := nextEpoch(firsts, place.Epoch)
	if next == 0 || next > upTo || firsts[next] > place.N {
		return place, false
	}
	return Pos{Epoch: place.Epoch, N: firsts[next] - 1}, true
}

// forkByBounds returns a place before all epochs that this node went through and the
// bus does not know, or common if that is older.
func (r *receiver) forkByBounds(firsts map[uint64]uint64, common Pos) Pos {
	for epoch, first := range r.bounds {
		if _, known := firsts[epoch]; !known && first <= common.N {
			common.N = first - 1
		}
	}
	common.Epoch = min(common.Epoch, max(epochAt(r.bounds, common.N), epochAt(firsts, common.N)))
	if common.N == 0 {
		return Pos{}
	}
	return common
}

// nextEpoch returns the lowest epoch above this one, 0 if there is none.
func nextEpoch(firsts map[uint64]uint64, epoch uint64) uint64 {
	next := uint64(math.MaxUint64)
	for e := range firsts {
		if e > epoch && e < next {
			next = e
		}
	}
	if next == math.MaxUint64 {
		return 0
	}
	return next
}

// epochs returns n of the first entry of each epoch that the bus remembers.
func (r *receiver) epochs() (map[uint64]uint64, error) {
	m, err := r.do(r.control.B().Hgetall().Key(r.p.keys.epochs).Build())
	if err != nil {
		return nil, err
	}
	fields, err := m.AsStrMap()
	if err != nil {
		return nil, fmt.Errorf("bus: read the epochs: %w", err)
	}
	firsts := make(map[uint64]uint64, len(fields))
	for field, value := range fields {
		epoch, err := strconv.ParseUint(field, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("bus: read the epochs: %w", err)
		}
		if firsts[epoch], err = strconv.ParseUint(value, 10, 64); err != nil {
			return nil, fmt.Errorf("bus: read the epochs: %w", err)
		}
	}
	return firsts, nil
}

// lastBefore returns the place of the log's last entry up to end, zero if there is none.
func (r *receiver) lastBefore(end string) (Pos, error) {
	m, err := r.do(r.control.B().Xrevrange().Key(r.p.keys.log).End(end).Start("-").Count(1).Build())
	if err != nil {
		return Pos{}, err
	}
	entries, err := m.AsXRange()
	if err != nil || len(entries) == 0 {
		return Pos{}, wrapNonNil("bus: read the log", err)
	}
	return parseID(entries[0].ID)
}

func wrapNonNil(what string, err error) error {
	if err == nil || rueidis.IsRedisNil(err) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// forkByEntries returns the newest place up to most that the log, which begins with
// first, and the database both have; both agree up to some place, and never after it.
func (r *receiver) forkByEntries(first, most Pos) (Pos, error) {
	kept, _, err := r.stored(first.N-1, forkBytes)
	if err != nil {
		return Pos{}, err
	}
	for len(kept) > 0 && kept[len(kept)-1].Entry.N > most.N {
		kept = kept[:len(kept)-1]
	}
	common := Pos{Epoch: first.Epoch, N: first.N - 1}
	for low, high := 0, len(kept); low < high; {
		middle := (low + high) / 2
		has, err := r.logHas(kept[middle].Entry)
		if err != nil {
			return Pos{}, err
		}
		if has {
			common, low = kept[middle].Entry, middle+1
		} else {
			high = middle
		}
	}
	if common.N == 0 {
		return Pos{}, nil
	}
	return common, nil
}

func (r *receiver) logHas(p Pos) (bool, error) {
	m, err := r.do(r.control.B().Xrange().Key(r.p.keys.log).Start(p.id()).End(p.id()).Count(1).Build())
	if err != nil {
		return false, err
	}
	entries, err := m.AsXRange()
	return len(entries) > 0, wrapNonNil("bus: read the log", err)
}

// stored reads the database, once it has all that was applied.
func (r *receiver) stored(after uint64, maxBytes int) ([]Kept, uint64, error) {
	ctx, cancel := context.WithTimeout(r.ctx, r.cfg.pace.patience)
	defer cancel()
	for r.ledger.Place(r.p.index).N < r.place.N {
		if ctx.Err() != nil {
			return nil, 0, fmt.Errorf("bus: wait for entry %d to be stored: %w", r.place.N, ctx.Err())
		}
		r.sleep(5 * time.Millisecond)
	}
	kept, since, err := r.ledger.Stored(ctx, r.p.index, after, maxBytes)
	if err != nil {
		return nil, 0, fmt.Errorf("bus: read what is stored: %w", err)
	}
	return kept, since, nil
}

// rejoin gives up what this node applied after common. Its messages may have been
// acked, so they first go to all as Restored ones; if that is done twice nothing
// comes of it.
func (r *receiver) rejoin(common Pos, epoch uint64) error {
	r.leave()
	r.look = true
	kept, since, err := r.stored(common.N, forkBytes)
	if err != nil {
		return err
	}
	if since > common.N {
		r.log.Error("too much was applied apart from the others: what is older stays on this node only",
			"partition", r.p.index, "from", common.N+1, "to", since)
	}
	r.log.Warn("applied entries are not part of the log", "partition", r.p.index, "n", r.place.N, "epoch", r.place.Epoch,
		"common", common.N, "messages", len(kept))
	if err := r.restoreAll(kept, common.N, epoch); err != nil {
		return err
	}
	maps.DeleteFunc(r.bounds, func(_, first uint64) bool { return first > common.N })
	r.rooms.Forked(r.p.index, common)
	r.held = ""
	r.setPlace(common)
	r.behind = true
	return nil
}

// restoreAll puts kept into the log. Until they came back from there they are owed: the
// bus may lose them, and Forked has the node take them back.
func (r *receiver) restoreAll(kept []Kept, held, epoch uint64) error {
	for left := kept; len(left) > 0; {
		n, at, err := r.restore(left, held, epoch)
		if err != nil {
			return err
		}
		left, r.owedAt = left[n:], at
	}
	r.owed = kept
	return nil
}

// restore puts the first of kept into the log as one entry, and returns how many they
// were, and the entry's place.
func (r *receiver) restore(kept []Kept, held, epoch uint64) (n int, at Pos, err error) {
	var messages []byte
	for n < len(kept) && n < batchMessages && len(messages) < batchBytes {
		messages = appendMessage(messages, &kept[n].Message, true)
		n++
	}
	body := append(appendBodyHead(nil, r.cfg.Node, now(), n), messages...)
	script := r.batchScript(r.p.index, &r.p.keys, epoch)
	args := []string{"0", strconv.FormatUint(held, 10), "0", "0", forceAlone, string(body)}
	m, err := r.do(r.p.evalsha(r.control, script.name, args))
	if refusal := asRefusal(err); refusal != nil {
		switch refusal.name {
		case refusedScript:
			r.p.trouble(epoch, true)
		case refusedEpoch, refusedBehind:
			r.look = true
		}
	}
	if err != nil {
		return 0, Pos{}, err
	}
	reply, err := m.ToArray()
	if err != nil {
		return 0, Pos{}, fmt.Errorf("bus: read the script's answer: %w", err)
	}
	at, err = newest(epoch, reply)
	return n, at, err
}
