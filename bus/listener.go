package bus

import (
	"strings"
	"sync/atomic"

	"github.com/redis/rueidis"
)

// listener has a partition's channel heard. Its callback only hands on: rueidis ends a
// connection that is not read for two pings.
type listener struct {
	// Static after construction.
	*core
	p *partition

	// Owned by the listener's goroutine.
	retry backoff
}

// run listens until Close.
func (l *listener) run() {
	l.retry = l.cfg.pace.retry
	for l.ctx.Err() == nil {
		err := l.hear()
		if l.ctx.Err() != nil {
			return
		}
		l.log.Debug("a subscription ended", "partition", l.p.index, "err", err)
		poke(l.poke)
		for wait := true; wait; wait = !l.p.reachable.Load() { // one at a time dials: the watcher
			if !l.sleep(l.retry.wait()) {
				return
			}
		}
	}
}

// hear subscribes, and returns when the subscription ends.
func (l *listener) hear() error {
	var inForce atomic.Bool
	ctx := rueidis.WithOnSubscriptionHook(l.ctx, func(s rueidis.PubSubSubscription) {
		if strings.HasSuffix(s.Kind, "unsubscribe") || inForce.Swap(true) {
			return
		}
		l.stats.listening.Add(1)
		l.p.inbox.tell(told{look: true, behind: true}) // what came before is in the log only
	})
	err := l.listen.Receive(ctx, l.call(), l.take)
	if inForce.Swap(true) {
		l.stats.listening.Add(-1)
		l.retry.reset()
	}
	return err
}

func (l *listener) call() rueidis.Completed {
	if l.subscribe == "SSUBSCRIBE" {
		return l.listen.B().Ssubscribe().Channel(l.p.keys.channel).Build()
	}
	return l.listen.B().Subscribe().Channel(l.p.keys.channel).Build()
}

// take hands one message on.
func (l *listener) take(m rueidis.PubSubMessage) {
	if m.Message == "" {
		return
	}
	switch m.Message[0] {
	case kindEntry:
		l.p.inbox.put(m.Message)
	case kindRaised:
		l.p.inbox.tell(told{look: true})
	case kindPresence, kindTyping:
		l.note(l.p.index, m.Message)
	} // anything else is of another version
}
