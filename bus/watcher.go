package bus

import (
	"context"
	"time"

	"github.com/redis/rueidis"
)

// watcher compares the heads of all partitions with what was applied, so that a lost
// last message, and a bus that lost something while nobody sent anything, is noticed.
// It is also who finds out that the bus is back.
type watcher struct {
	// Static after construction.
	*core
	partitions []*partition
	lane       lane

	// Owned by the watcher's goroutine.
	applied []uint64 // before a round
	retry   backoff
	probed  time.Time // when an entry of our own was last asked for
	probe   int       // the partition that it is asked for next
	failing bool
}

// run watches until Close.
func (w *watcher) run() {
	w.applied, w.retry = make([]uint64, len(w.partitions)), w.cfg.pace.retry
	for w.ctx.Err() == nil {
		late, err := w.round()
		w.report(err)
		if len(late) > 0 {
			w.sleep(w.cfg.pace.poll / 20) // what is on its way arrives meanwhile
			w.tellLate(late)
		}
		w.askProbe()
		if err != nil {
			w.sleep(w.retry.wait())
			continue
		}
		w.retry.reset()
		w.rest()
	}
}

// rest waits for the next round.
func (w *watcher) rest() {
	timer := time.NewTimer(w.cfg.pace.poll)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.poke:
		w.sleep(w.cfg.pace.retry.first) // pokes may come in numbers
	case <-w.ctx.Done():
	}
}

// report logs that the bus went away, or came back.
func (w *watcher) report(err error) {
	switch {
	case err != nil && !w.failing && w.ctx.Err() == nil:
		w.log.Warn("the bus does not answer", "err", err)
	case err == nil && w.failing:
		w.log.Info("the bus answers again")
	}
	w.failing = err != nil
}

// behindHead is a partition that had applied less than its head.
type behindHead struct {
	p *partition
	n uint64
}

// round compares all heads. It returns those partitions that were behind, and the
// first error; partitions that got an answer are seen to nevertheless.
func (w *watcher) round() ([]behindHead, error) {
	calls := make([]rueidis.Completed, 0, len(w.partitions))
	for i, p := range w.partitions {
		w.applied[i] = p.applied.Load()
		calls = append(calls, w.control.B().Hmget().Key(p.keys.meta).Field("epoch", "opened", "n").Build())
	}
	// In a Redis Cluster one server that hangs must not hide what the others answered.
	replies, err := ask(w.ctx, w.lane, 3*w.cfg.pace.call, func(ctx context.Context) ([]rueidis.RedisResult, error) {
		ctx, cancel := context.WithTimeout(ctx, w.cfg.pace.call)
		defer cancel()
		return w.control.DoMulti(ctx, calls...), nil
	})
	var late []behindHead
	for i, p := range w.partitions {
		var h head
		failure := errSlow
		if replies != nil {
			h, failure = headOf(replies[i])
		}
		if failure != nil {
			p.reachable.Store(false)
			p.offline.Store(true)
			err = failure
			continue
		}
		if w.compare(p, h, w.applied[i]) {
			late = append(late, behindHead{p: p, n: h.n})
		}
	}
	return late, err
}

func headOf(reply rueidis.RedisResult) (head, error) {
	values, err := reply.ToArray()
	if err != nil {
		return head{}, refusedBy(err)
	}
	return headFrom(values)
}

// compare looks at the head that a partition has, and at what had been applied before
// it was asked for; true: the partition is behind.
func (w *watcher) compare(p *partition, h head, applied uint64) bool {
	epoch := p.openEpoch()
	back := !p.reachable.Swap(true)
	if back || !h.open() || h.epoch != epoch || h.n < applied {
		p.inbox.tell(told{look: true})
		return false
	}
	p.offline.Store(false)
	return p.applied.Load() < h.n
}

// tellLate tells those partitions that are still behind.
func (w *watcher) tellLate(late []behindHead) {
	for _, b := range late {
		if b.p.applied.Load() < b.n {
			b.p.inbox.tell(told{behind: true})
		}
	}
}

// askProbe asks for an entry of our own if none came back lately: it shows that
// messages get through, there and back. Partitions take turns.
func (w *watcher) askProbe() {
	every := w.cfg.pace.progress / 2
	if time.Since(time.Unix(0, w.stats.returned.Load())) < every || time.Since(w.probed) < every {
		return
	}
	for range w.partitions {
		p := w.partitions[w.probe]
		w.probe = (w.probe + 1) % len(w.partitions)
		if p.openEpoch() != 0 {
			p.queue.askProbe()
			w.probed = time.Now()
			return
		}
	}
}
