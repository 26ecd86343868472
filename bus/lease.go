package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// A lease is the text "instance beat address": 16 hexadecimal digits that name the
// process and rise with the time of its start, a number that rises with each renewal, and
// where the node's admin address is.

// leaseScript renews a lease. The first renewal of a process takes the name from
// another one, which stood still or is refused from then on. Who began earlier than this
// process takes it from nobody: that is an old lease, on a bus that was rolled back.
//
// KEYS: nodes. ARGV: the node, its instance, its lease, partitions, first (1: this
// process had none yet). It returns the node's lease before and all leases.
const leaseScript = `-- nebula lease
local partitions = redis.call('HGET', KEYS[1], '')
if partitions and partitions ~= ARGV[4] then return redis.error_reply('SHARDS ' .. partitions) end
local was = redis.call('HGET', KEYS[1], ARGV[1]) or ''
if was ~= '' and ARGV[5] ~= '1' and string.sub(was, 1, #ARGV[2]) > ARGV[2] then
  return redis.error_reply('TAKEN')
end
redis.call('HSET', KEYS[1], '', ARGV[4], ARGV[1], ARGV[3])
return {was, redis.call('HGETALL', KEYS[1])}
`

// endScript removes a lease, if it still begins as the caller says.
//
// KEYS: nodes. ARGV: the node, the beginning.
const endScript = `-- nebula end
local was = redis.call('HGET', KEYS[1], ARGV[1])
if was and string.sub(was, 1, #ARGV[2]) == ARGV[2] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return 0
`

// keeper is what keep remembers from one beat to the next.
type keeper struct {
	lane  lane
	beats uint64
	acked string // the last lease that is known to be on the bus; "": none yet
}

// keep renews the lease and looks at the others' until withdraw.
func (d *directory) keep() {
	if !d.await(d.connected) {
		return
	}
	k := keeper{lane: newLane()}
	retry, failing := d.cfg.pace.retry, false
	for {
		limit := d.cfg.pace.beat
		err := d.beat(&k)
		if err != nil {
			limit = min(limit, retry.wait())
		} else {
			retry.reset()
		}
		switch {
		case err != nil && !failing && d.life.Err() == nil:
			d.log.Warn("this node's lease is not renewed", "err", err)
		case err == nil && failing:
			d.log.Info("this node's lease is renewed again")
		}
		failing = err != nil
		// A node that is heard before its lease is seen has just started; one that is
		// refused is heard too.
		began := time.Now()
		if !d.pause(limit, d.strange) || !d.pause(d.cfg.pace.beat/8-time.Since(began), nil) {
			return
		}
	}
}

// beat renews the lease once, and acts on what became of the others.
func (d *directory) beat(k *keeper) error {
	k.beats++
	value := d.instance + " " + strconv.FormatUint(k.beats, 10) + " " + d.cfg.Advertise
	claim := "0"
	if k.acked == "" {
		claim = "1"
	}
	reply, err := ask(d.life, k.lane, d.cfg.pace.call, func(ctx context.Context) ([]rueidis.RedisMessage, error) {
		return d.control.Do(ctx, d.control.B().Eval().Script(leaseScript).Numkeys(1).Key(nodesKey).
			Arg(d.cfg.Node, d.instance, value, strconv.Itoa(d.cfg.Partitions), claim).Build()).ToArray()
	})
	if err != nil {
		return d.refuse(refusedBy(err))
	}
	was, leases, err := parseLeases(reply)
	if err != nil {
		return err
	}
	d.refusal.Store(nil)
	intact := was == k.acked // else the bus lost something, others' leases too
	first := k.acked == ""
	k.acked = value
	delete(leases, d.cfg.Node)
	d.mu.Lock()
	came, went, sweep := d.roll.look(time.Now(), leases, intact)
	d.stats.nodes.Store(int64(d.roll.live() + 1))
	d.mu.Unlock()
	d.move(came, went)
	if first {
		close(d.entered)
	}
	return d.sweep(k.lane, sweep)
}

// refuse returns err, and notes it if it says that the cluster does not take this node.
func (d *directory) refuse(err error) error {
	var refused *refusal
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.name {
	case refusedShards:
		_, others, _ := strings.Cut(refused.text, " ")
		err = fmt.Errorf("%w: it has %s shards, this node %d", ErrRefused, others, d.cfg.Partitions)
	case refusedTaken:
		err = fmt.Errorf("%w: another process, started later, has its name %q", ErrRefused, d.cfg.Node)
	default:
		return err
	}
	if d.refusal.Swap(&err) == nil {
		d.log.Error("this node is not taken", "err", err)
	}
	return err
}

// parseLeases reads leaseScript's answer.
func parseLeases(reply []rueidis.RedisMessage) (was string, leases map[string]string, err error) {
	if len(reply) != 2 {
		return "", nil, fmt.Errorf("bus: %d answers for a lease", len(reply))
	}
	if was, err = reply[0].ToString(); err != nil {
		return "", nil, fmt.Errorf("bus: read this node's lease: %w", err)
	}
	if leases, err = reply[1].AsStrMap(); err != nil {
		return "", nil, fmt.Errorf("bus: read the leases: %w", err)
	}
	delete(leases, "") // how many partitions there are
	return was, leases, nil
}

// move makes the mirrors follow the nodes.
func (d *directory) move(came, went []string) {
	for p, m := range d.mirrors {
		for _, node := range went {
			m.leave(node)
		}
		for _, node := range came {
			m.join(node)
		}
		m.tell(p, d.rooms)
	}
	for _, node := range went {
		d.log.Info("a node left the cluster", "node", node)
	}
	for _, node := range came {
		d.log.Info("a node came to the cluster", "node", node)
	}
	if len(came) > 0 {
		poke(d.doubtful)
	}
}

// sweep removes what dead nodes left on the bus: members first, so that whoever dies
// over it leaves the lease to the next. A node that was not dead after all finds its
// members gone and writes them anew.
func (d *directory) sweep(l lane, dead []lease) error {
	for _, who := range dead {
		calls := make(rueidis.Commands, 0, len(d.keys)+1)
		for p := range d.keys {
			calls = append(calls, d.control.B().Unlink().Key(d.keys[p].who+who.node).Build())
		}
		calls = append(calls, d.endLease(who.node, who.value))
		if _, err := d.askAll(d.life, l, d.cfg.pace.call, calls); err != nil {
			return fmt.Errorf("bus: remove what node %s left: %w", who.node, err)
		}
	}
	return nil
}

// endLease removes a node's lease if it begins so.
func (d *directory) endLease(node, beginning string) rueidis.Completed {
	return d.control.B().Eval().Script(endScript).Numkeys(1).Key(nodesKey).Arg(node, beginning).Build()
}
