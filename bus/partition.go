package bus

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// partition is what its sequencer, its receiver and everybody else share.
type partition struct {
	// Static after construction.
	index int
	keys  keys
	queue *queue
	inbox *inbox

	// Atomic.
	applied   atomic.Uint64 // N of the newest entry that Rooms took; written by the receiver
	reachable atomic.Bool   // the bus answered when heads were last compared; written by the watcher
	offline   atomic.Bool   // messages are refused at once: a batch failed, or the bus does not answer
	caughtUp  atomic.Bool   // what was in the log when this node came has been applied
	stale     atomic.Bool   // Rooms.Stale was told, and Resume was not called yet

	// Guarded by mu.
	mu      sync.Mutex
	epoch   uint64        // the open epoch that this node's place is part of; 0: none
	changed chan struct{} // closed when epoch changes
	lost    uint64        // an epoch whose script the bus no longer knows
}

func newPartition(index, db int) *partition {
	p := &partition{
		index: index, keys: keysOf(index, db), queue: newQueue(), inbox: newInbox(),
		changed: make(chan struct{}),
	}
	p.offline.Store(true)
	return p
}

// setEpoch says that epoch is open, or with 0 that none is.
func (p *partition) setEpoch(epoch uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.epoch == epoch {
		return
	}
	p.epoch = epoch
	close(p.changed)
	p.changed = make(chan struct{})
}

// openEpoch returns the open epoch, or 0.
func (p *partition) openEpoch() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.epoch
}

// awaitOpen returns the open epoch; 0: there was none within limit.
func (p *partition) awaitOpen(ctx context.Context, limit time.Duration) uint64 {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for limit > 0 {
		p.mu.Lock()
		epoch, changed := p.epoch, p.changed
		p.mu.Unlock()
		if epoch != 0 {
			return epoch
		}
		select {
		case <-changed:
		case <-timer.C:
			return 0
		case <-ctx.Done():
			return 0
		}
	}
	return 0
}

// trouble says that a script of epoch was refused; noScript: the bus does not know it.
func (p *partition) trouble(epoch uint64, noScript bool) {
	p.mu.Lock()
	if noScript {
		p.lost = epoch
	}
	current := p.epoch
	p.mu.Unlock()
	if current == epoch {
		p.setEpoch(0)
	}
	p.inbox.tell(told{look: true})
}

// lostScript tells whether the bus does not know the script of epoch.
func (p *partition) lostScript(epoch uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost == epoch
}

// evalsha is a call of the batch script named sha.
func (p *partition) evalsha(client rueidis.Client, sha string, args []string) rueidis.Completed {
	k := &p.keys
	return client.B().Evalsha().Sha1(sha).Numkeys(7).
		Key(k.meta, k.log, k.ids0, k.ids1, k.seq0, k.seq1, k.epochs).Arg(args...).Build()
}
