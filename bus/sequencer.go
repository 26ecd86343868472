package bus

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/rueidis"
)

// sequencer has one batch of its partition in flight at a time, which makes its order
// that of the queue.
type sequencer struct {
	// Static after construction.
	*core
	p    *partition
	lane lane

	// Owned by the sequencer's goroutine.
	script  script // of the epoch below
	epoch   uint64
	args    []string
	arena   []byte         // what args alias
	numbers map[string]int // room -> its number in the batch
	results []Result
	unseen  []*batch // have a place, and are not applied yet; oldest first
}

// unseenMost bounds the batches that have a place and whose entry did not come back.
const unseenMost = 64

// run sends batches until Close.
func (s *sequencer) run() {
	for {
		s.settle()
		limit := s.cfg.pace.poll // only to settle
		switch len(s.unseen) {
		case 0:
			limit = time.Hour
		case unseenMost:
			limit = 5 * time.Millisecond
		}
		if !s.rest(limit) {
			s.p.queue.close()
			for _, b := range s.unseen {
				s.answer(b.drafts)
			}
			s.fail(nil)
			return
		}
		for len(s.unseen) < unseenMost {
			b := s.p.queue.take(now())
			if b == nil {
				break
			}
			s.order(b)
			s.settle()
		}
	}
}

// rest waits for limit at most until there is a batch; false: the bus is being closed.
func (s *sequencer) rest(limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-s.p.queue.wake:
	case <-timer.C:
	case <-s.ctx.Done():
	}
	return s.ctx.Err() == nil
}

// settle forgets the batches whose entries came back, and gives up those whose entry
// takes too long, or may have been lost by the bus: they may yet come. That goes for
// messages too that were told to be known: their entry may be lost just so.
func (s *sequencer) settle() {
	applied := s.p.applied.Load()
	epoch := s.p.openEpoch() // after applied, which then is not of a later epoch
	left := s.unseen[:0]
	for _, b := range s.unseen {
		switch {
		case epoch != 0 && epoch != b.pos.Epoch: // the bus may have something else in its place now
			s.answer(b.drafts)
		case b.pos.N <= applied:
			s.p.queue.done(b)
		case time.Since(time.Unix(0, b.began)) > s.cfg.pace.unseen:
			s.answer(b.drafts)
		default:
			left = append(left, b)
		}
	}
	clear(s.unseen[len(left):])
	s.unseen = left
}

// order brings one batch to the bus, or tells its senders that it did not.
func (s *sequencer) order(b *batch) {
	deadline := time.Unix(0, b.began).Add(s.cfg.pace.wait)
	for {
		epoch := s.p.awaitOpen(s.ctx, time.Until(deadline))
		if epoch == 0 {
			s.p.offline.Store(true) // whoever opens the epoch takes it back
			s.fail(b)
			return
		}
		began := time.Now()
		err := s.try(b, epoch)
		s.stats.publish.Observe(time.Since(began).Seconds(), 1)
		if err == nil {
			s.unseen = append(s.unseen, b)
			return
		}
		var refused *refusal
		if !errors.As(err, &refused) {
			s.unknown(b, err)
			return
		}
		switch refused.name {
		case refusedEpoch, refusedBehind:
			s.p.trouble(epoch, false)
		case refusedScript:
			s.p.trouble(epoch, true)
		case refusedLate:
			// Its floors are from long ago, and will not get better.
			s.answer(b.drafts)
			s.p.queue.done(b)
			return
		default:
			s.unknown(b, err)
			return
		}
	}
}

// unknown gives a batch up whose call failed, and all behind it: the senders resend
// them all, so that none of them overtakes one that was sent before it.
func (s *sequencer) unknown(b *batch, err error) {
	s.stats.failures.Add(1)
	s.log.Warn("a batch failed on the bus", "partition", s.p.index, "messages", len(b.drafts), "err", err)
	s.p.offline.Store(true)
	poke(s.poke)
	s.args, s.arena = nil, nil // the call may still be under way
	s.fail(b)
}

// fail tells the senders of b, and of everything that waits, that nobody knows.
func (s *sequencer) fail(b *batch) {
	waiting := s.p.queue.drain()
	if b != nil {
		s.answer(b.drafts)
	}
	for _, b := range waiting {
		s.answer(b.drafts)
	}
}

// answer tells the senders of drafts that nobody knows.
func (s *sequencer) answer(drafts []draft) {
	s.results = s.results[:0]
	for i := range drafts {
		s.results = append(s.results, Result{Room: drafts[i].room, Hash: drafts[i].hash})
	}
	if len(s.results) > 0 {
		s.rooms.Answer(s.p.index, s.results)
	}
}

// try makes the script call and reads its answer.
func (s *sequencer) try(b *batch, epoch uint64) error {
	if s.epoch != epoch {
		s.script, s.epoch = s.batchScript(s.p.index, &s.p.keys, epoch), epoch
		s.script.text = "" // only who opens an epoch needs it
	}
	s.prepare(b)
	call := s.p.evalsha(s.send, s.script.name, s.args)
	reply, err := ask(s.ctx, s.lane, s.cfg.pace.call, func(ctx context.Context) ([]rueidis.RedisMessage, error) {
		return s.send.Do(ctx, call).ToArray()
	})
	if err != nil {
		return refusedBy(err)
	}
	if b.pos, err = newest(epoch, reply); err != nil {
		return err
	}
	return s.known(b, reply)
}

// newest returns the place of the newest entry after a batch.
func newest(epoch uint64, reply []rueidis.RedisMessage) (Pos, error) {
	if len(reply) < 2 {
		return Pos{}, fmt.Errorf("bus: the script answers with %d values", len(reply))
	}
	n, err := reply[0].AsUint64()
	if err != nil {
		return Pos{}, fmt.Errorf("bus: read the script's answer: %w", err)
	}
	return Pos{Epoch: epoch, N: n}, nil
}

// known answers the messages that were in the log already.
func (s *sequencer) known(b *batch, reply []rueidis.RedisMessage) error {
	s.results = s.results[:0]
	for i := 2; i+1 < len(reply); i += 2 {
		at, err := reply[i].AsInt64()
		if err != nil || at < 1 || int(at) > len(b.drafts) {
			return fmt.Errorf("bus: the script answers for message %d of %d", at, len(b.drafts))
		}
		place, err := reply[i+1].ToString()
		if err != nil || len(place) != 13 {
			return fmt.Errorf("bus: the script's place of a message has %d bytes", len(place))
		}
		r := reader{rest: place}
		d := &b.drafts[at-1]
		s.results = append(s.results, Result{
			Room: d.room, Hash: d.hash, Known: true, Seq: r.number(7), Milli: int64(r.number(6)),
		})
	}
	if len(s.results) > 0 {
		s.stats.duplicates.Add(uint64(len(s.results)))
		s.rooms.Answer(s.p.index, s.results)
	}
	return nil
}

// now returns the time of day, Unix ns.
func now() int64 { return time.Now().UnixNano() }
