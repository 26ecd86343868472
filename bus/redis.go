package bus

import (
	"context"
	"errors"
	"fmt"
	"nebula/shard"
	"sync"
	"time"
)

// Redis is the bus of a cluster: one node's connection to Redis or Valkey, a single
// one, one behind Sentinels, or a Redis Cluster.
type Redis struct {
	// Static after construction.
	*core
	partitions []*partition
	directory  *directory
	stop       context.CancelFunc

	closing sync.Once
}

// NewRedis returns a bus that Start connects.
func NewRedis(cfg Config, rooms Rooms, ledger Ledger) (*Redis, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	option, err := ParseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	c := &core{
		cfg: cfg, log: cfg.Log, rooms: rooms, ledger: ledger, option: clientOption(option, cfg.Node),
		connected: make(chan struct{}), poke: make(chan struct{}, 1),
	}
	c.stats.publish, c.stats.lag = shard.NewHistogram(nil), shard.NewHistogram(nil)
	r := &Redis{core: c}
	c.ctx, r.stop = context.WithCancel(context.Background())
	for index := range cfg.Partitions {
		r.partitions = append(r.partitions, newPartition(index, option.SelectDB))
	}
	r.directory = newDirectory(c)
	c.note = r.directory.note
	c.others = r.directory.others
	return r, nil
}

// Start connects, however long it takes, and goes on until Close.
func (r *Redis) Start() {
	r.begin(func() {
		if !r.connect() {
			return
		}
		w := &watcher{core: r.core, partitions: r.partitions, lane: newLane()}
		r.begin(w.run)
		select { // a cluster with another number of partitions must not be touched
		case <-r.directory.entered:
		case <-r.ctx.Done():
			return
		}
		for _, p := range r.partitions {
			s := &sequencer{core: r.core, p: p, lane: newLane()}
			l := &listener{core: r.core, p: p}
			v := &receiver{core: r.core, p: p, lane: newLane()}
			r.begin(s.run)
			r.begin(l.run)
			r.begin(v.run)
		}
	})
	r.directory.begin()
}

// Publish asks for d's place in the order of its room, which belongs to the partition.
// It does not wait, and keeps nothing of d but its strings. Any goroutine.
func (r *Redis) Publish(partition int, d *Draft) Verdict {
	p := r.partitions[partition]
	if p.offline.Load() {
		return Offline
	}
	return p.queue.push(d, now())
}

// Presence says that a user came to be, or is no longer, in a room on this node. Any
// goroutine; it does not wait.
func (r *Redis) Presence(partition int, room, user, name string, here bool) {
	r.directory.presence(partition, room, user, name, here)
}

// Typing says that a user of this node types. Any goroutine; it does not wait.
func (r *Redis) Typing(partition int, room, user, name string) {
	r.directory.typing(partition, room, user, name)
}

// Elsewhere returns who is in a room on other nodes. Any goroutine; it does not wait.
func (r *Redis) Elsewhere(partition int, room string) []Person {
	return r.directory.elsewhere(partition, room)
}

// Peers returns the other nodes that live.
func (r *Redis) Peers() []Peer { return r.directory.peers() }

// Resume goes on with a partition after Rooms.Stale, from the place that the Ledger
// has now.
func (r *Redis) Resume(partition int) {
	r.partitions[partition].inbox.tell(told{resume: true})
}

// Ready returns nil if this node has all that the cluster has, and messages get
// through: an entry of its own came back lately. Else it says what is missing.
func (r *Redis) Ready() error {
	if err := r.directory.ready(); err != nil {
		return err
	}
	stale, silent, late := 0, 0, 0
	for _, p := range r.partitions {
		switch {
		case p.stale.Load():
			stale++
		case !p.reachable.Load() || p.openEpoch() == 0 || p.offline.Load():
			silent++
		case !p.caughtUp.Load():
			late++
		}
	}
	switch {
	case stale > 0:
		return fmt.Errorf("bus: %d partitions need a copy of another node's database", stale)
	case silent > 0:
		return fmt.Errorf("bus: %d partitions are not open", silent)
	case late > 0:
		return fmt.Errorf("bus: %d partitions are catching up", late)
	}
	if since := time.Since(time.Unix(0, r.stats.returned.Load())); since > r.cfg.pace.progress {
		return errors.New("bus: no entry of this node's came back lately")
	}
	return nil
}

// Close withdraws this node from the cluster, if the bus can be told, and ends all
// goroutines; messages that wait are answered as unknown. After an error some may still
// wait for the network, and end by themselves.
func (r *Redis) Close(ctx context.Context) error {
	var err error
	r.closing.Do(func() { err = r.close(ctx) })
	return err
}

func (r *Redis) close(ctx context.Context) error {
	err := r.directory.withdraw(ctx)
	r.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.running.Wait()
		r.hangUp()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("bus: close: %w", ctx.Err()))
	}
	return err
}

// Stats are counts since the start, and what is so now.
type Stats struct {
	Connected  bool             // the bus answers, and every partition's channel is heard
	Nodes      int              // in the cluster, this one too
	Publish    *shard.Histogram // seconds that a batch's call took
	Lag        *shard.Histogram // seconds from sending a batch of this node until its entry came back
	Gaps       uint64           // times that live entries did not follow
	Refilled   uint64           // entries read from the log
	Duplicates uint64           // messages that were in the log already
	Failures   uint64           // batches of which nobody knows what became
	Untold     uint64           // notices of typing that were dropped
}

// Stats returns them. The histograms are the bus's own, for reading.
func (r *Redis) Stats() Stats {
	s := &r.stats
	stats := Stats{
		Connected: s.listening.Load() == int64(len(r.partitions)), Nodes: int(s.nodes.Load()),
		Publish: s.publish, Lag: s.lag,
		Gaps: s.gaps.Load(), Refilled: s.refilled.Load(), Duplicates: s.duplicates.Load(), Failures: s.failures.Load(),
		Untold: s.untold.Load(),
	}
	for _, p := range r.partitions {
		stats.Connected = stats.Connected && p.reachable.Load()
	}
	return stats
}
