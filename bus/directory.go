package bus

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"
)

// ErrRefused is wrapped by why the cluster does not take this node: at start a
// mistake in its settings.
var ErrRefused = errors.New("bus: the cluster refuses this node")

// directory knows which nodes there are, and who is in which room on them. Of its four
// goroutines three may wait for Redis, without holding up another: keep (leases),
// announce (this node's members, and who types) and watch (the others' members); follow
// never does (what the others say). What the type Redis calls is for any goroutine, and only
// withdraw waits.
type directory struct {
	// Static after construction.
	*core
	instance string // tells this process from others of the node's name
	keys     []keys // by partition, like the next two
	rosters  []*roster
	mirrors  []*mirror
	typists  chan said     // to announce
	heard    chan said     // to follow
	strange  chan struct{} // to keep: a node was heard that is not known
	unsaid   chan struct{} // to announce
	doubtful chan struct{} // to watch: a replica must be read
	entered  chan struct{} // closed by keep with the first lease
	life     context.Context
	stop     context.CancelFunc

	loops sync.WaitGroup

	// Atomic.
	refusal atomic.Pointer[error]
	watched atomic.Bool // the others' members were all read once

	// Guarded by mu.
	mu   sync.Mutex
	roll roll
}

// said is a notice that waits.
type said struct {
	partition int
	notice    string
}

// Notices that wait; one more is dropped. Of those heard, the next one shows that one
// was missed.
const (
	typistsMost = 256
	heardMost   = 512
)

func newDirectory(c *core) *directory {
	d := &directory{
		core: c, instance: newInstance(),
		typists: make(chan said, typistsMost), heard: make(chan said, heardMost),
		strange: make(chan struct{}, 1), unsaid: make(chan struct{}, 1), doubtful: make(chan struct{}, 1),
		entered: make(chan struct{}),
		roll:    newRoll(c.cfg.pace),
	}
	d.life, d.stop = context.WithCancel(c.ctx)
	for p := range c.cfg.Partitions {
		d.keys = append(d.keys, keysOf(p, c.option.SelectDB))
		d.rosters = append(d.rosters, newRoster(c.cfg.Node))
		d.mirrors = append(d.mirrors, newMirror())
	}
	return d
}

// newInstance names a process. Names rise with the time of the start: a bus that is rolled
// back may have the lease of an earlier life of this node.
func newInstance() string {
	const chance = 20 // bits; the others are Unix ms, until the year 2527
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return fmt.Sprintf("%016x", uint64(time.Now().UnixMilli())<<chance|binary.BigEndian.Uint64(b[:])>>(64-chance))
}

// begin starts its goroutines; they end with withdraw or the core.
func (d *directory) begin() {
	for _, loop := range []func(){d.keep, d.announce, d.watch, d.follow} {
		d.loops.Add(1)
		d.core.begin(func() {
			defer d.loops.Done()
			loop()
		})
	}
}

// presence notes that a user came to be, or is no longer, in a room on this node. The
// strings are kept.
func (d *directory) presence(partition int, room, user, name string, here bool) {
	if d.rosters[partition].set(member{room, user}, name, here, time.Now().UnixMilli()) {
		poke(d.unsaid)
	}
}

// typing tells the others that a user of this node types, or not, if there is too much
// to tell.
func (d *directory) typing(partition int, room, user, name string) {
	t := said{partition, string(appendTyping(nil, d.cfg.Node, room, user, name))}
	select {
	case d.typists <- t:
		poke(d.unsaid)
	default:
		d.stats.untold.Add(1)
	}
}

// elsewhere returns who is in a room on other nodes, each user once.
func (d *directory) elsewhere(partition int, room string) []Person {
	return d.mirrors[partition].elsewhere(room)
}

// note takes what came over a partition's channel, of kindPresence or kindTyping.
func (d *directory) note(partition int, s string) {
	select {
	case d.heard <- said{partition, s}:
	default:
	}
}

// follow hands on what others say, until withdraw. It is not done on the connection's
// goroutine, since rooms may take long to be told.
func (d *directory) follow() {
	for {
		select {
		case n := <-d.heard:
			d.take(n.partition, n.notice)
		case <-d.life.Done():
			return
		}
	}
}

// take hands one notice on. What is malformed, of a newer version perhaps, is passed
// over: presence is compared anyway.
func (d *directory) take(partition int, s string) {
	if s != "" && s[0] == kindTyping {
		node, room, user, name, err := decodeTyping(s)
		if err == nil && node != d.cfg.Node {
			d.rooms.Typing(partition, room, user, name)
		}
		return
	}
	var n notice
	if n.decode(s) != nil || n.node == d.cfg.Node {
		return
	}
	m := d.mirrors[partition]
	stranger, wanted := m.hear(&n)
	switch {
	case stranger:
		poke(d.strange)
	case wanted:
		poke(d.doubtful)
	default:
		m.tell(partition, d.rooms)
	}
}

// peers returns the other nodes that live.
func (d *directory) peers() []Peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.roll.peers()
}

// others returns the names of the other nodes that live. They are all that there are
// once each has had the time to renew its lease, which the bus may have lost too, before
// this node's eyes.
func (d *directory) others() (names []string, complete bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, p := range d.roll.peers() {
		names = append(names, p.Name)
	}
	return names, !d.roll.first.IsZero() && time.Since(d.roll.first) >= 2*d.cfg.pace.beat
}

// refused returns why the cluster does not take this node, as of its last answer; nil:
// it does.
func (d *directory) refused() error {
	if err := d.refusal.Load(); err != nil {
		return *err
	}
	return nil
}

// ready returns nil once this node has a lease and knows who is on the others; else
// why not.
func (d *directory) ready() error {
	if err := d.refused(); err != nil {
		return err
	}
	if !d.watched.Load() {
		return errors.New("bus: who is on the other nodes is not known yet")
	}
	return nil
}

// withdraw ends the goroutines, removes the lease and tells the others that this
// node's members are gone. Where the bus cannot be told, the others find out by the
// lease: to leave like that is no failure.
func (d *directory) withdraw(ctx context.Context) error {
	d.stop()
	ended := make(chan struct{})
	go func() {
		d.loops.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-d.connected:
	default:
		return nil
	}
	if err := d.resign(ctx); err != nil {
		d.log.Warn("this node leaves without a word: the bus does not answer", "err", err)
	}
	return nil
}

// resign is withdraw's part on the bus.
func (d *directory) resign(ctx context.Context) error {
	calls := make(rueidis.Commands, 0, len(d.rosters)+1)
	for p, r := range d.rosters {
		a, b, gone := r.resign()
		calls = append(calls, d.control.B().Eval().Script(goneScript).Numkeys(1).Key(d.keys[p].who+d.cfg.Node).
			Arg(a, b, d.publish, d.keys[p].channel, gone).Build())
	}
	calls = append(calls, d.endLease(d.cfg.Node, d.instance))
	_, err := d.askAll(ctx, newLane(), d.cfg.pace.call, calls)
	return err
}

// pause waits for a while, or until wake; false: the directory ends.
func (d *directory) pause(limit time.Duration, wake <-chan struct{}) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-wake:
	case <-d.life.Done():
		return false
	}
	return d.life.Err() == nil
}

// await waits for what is closed by another goroutine; false: the directory ends.
func (d *directory) await(closed <-chan struct{}) bool {
	select {
	case <-closed:
		return true
	case <-d.life.Done():
		return false
	}
}

// poke wakes who waits for wake; one token is enough.
func poke(wake chan<- struct{}) {
	select {
	case wake <- struct{}{}:
	default:
	}
}
