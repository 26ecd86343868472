package bus

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"
)

// whoScript changes a node's members in a partition, if they are of the version that
// the change is for, and tells the others. If they are of the version after it, it was
// carried out before.
//
// KEYS: who. ARGV: version before, version after, anew (1: whatever is there goes
// first, of whichever version), publish, channel, notice or "", count of fields to set;
// those and their values by turns; fields to remove.
const whoScript = `-- nebula who
if ARGV[3] == '1' then
  redis.call('UNLINK', KEYS[1])
else
  local have = redis.call('HGET', KEYS[1], '')
  if have ~= ARGV[1] then
    if have == ARGV[2] then return 0 end
    return redis.error_reply('VERSION')
  end
end
local sets = 7 + 2 * tonumber(ARGV[7])
redis.call('HSET', KEYS[1], '', ARGV[2], unpack(ARGV, 8, sets))
if #ARGV > sets then redis.call('HDEL', KEYS[1], unpack(ARGV, sets + 1)) end
if ARGV[6] ~= '' then redis.call(ARGV[4], ARGV[5], ARGV[6]) end
return 1
`

// goneScript removes a node's members and tells the others, if they are of one of two
// versions: else they are another process's of the same name.
//
// KEYS: who. ARGV: the versions, publish, channel, notice.
const goneScript = `-- nebula gone
local have = redis.call('HGET', KEYS[1], '')
if have ~= ARGV[1] and have ~= ARGV[2] then return 0 end
redis.call('UNLINK', KEYS[1])
redis.call(ARGV[3], ARGV[4], ARGV[5])
return 1
`

// announce tells the bus of this node's members, and of who types, until withdraw.
// Every pace.poll it looks whether the bus still has the members.
func (d *directory) announce() {
	if !d.await(d.entered) {
		return
	}
	d.dropTypists() // they typed before this node was there
	l, retry, due := newLane(), d.cfg.pace.retry, time.Now()
	for d.pause(time.Until(due), d.unsaid) && d.pause(d.cfg.pace.flush, nil) {
		err := d.refused()
		if err == nil && !time.Now().Before(due) {
			due = time.Now().Add(d.cfg.pace.poll)
			err = d.verify(l)
		}
		if err == nil {
			err = d.flush(l)
		}
		if err == nil {
			retry.reset()
			continue
		}
		d.log.Debug("presence was not announced", "err", err)
		d.dropTypists()
		due = time.Now()
		if !d.pause(retry.wait(), nil) {
			return
		}
	}
}

// verify compares the versions of this node's members with those that the bus has.
func (d *directory) verify(l lane) error {
	calls := make(rueidis.Commands, 0, len(d.keys))
	for p := range d.keys {
		calls = append(calls, d.control.B().Hget().Key(d.keys[p].who+d.cfg.Node).Field("").Build())
	}
	answers, err := d.askAll(d.life, l, d.cfg.pace.call, calls)
	if err != nil {
		return fmt.Errorf("bus: compare this node's members: %w", err)
	}
	for p, r := range d.rosters {
		have, _ := answers[p].ToString() // none: ""
		if !r.check(have) {
			d.log.Info("the bus lost this node's members", "partition", p)
		}
	}
	return nil
}

// flush says what is unsaid: one call for each partition that has something, and again
// for those that have more.
func (d *directory) flush(l lane) error {
	for more := true; more; {
		calls, rosters := d.amendments()
		calls = d.takeTypists(calls)
		if len(calls) == 0 {
			return nil
		}
		answers, err := d.askEach(d.life, l, d.cfg.pace.call, calls)
		if err != nil {
			return fmt.Errorf("bus: announce members: %w", err)
		}
		if more, err = settle(rosters, answers); err != nil {
			return fmt.Errorf("bus: announce members: %w", err)
		}
	}
	return nil
}

// amendments returns the calls that are to be made, and whose each is.
func (d *directory) amendments() (calls rueidis.Commands, rosters []*roster) {
	for p, r := range d.rosters {
		a := r.next()
		if a == nil {
			continue
		}
		anew := "0"
		if a.anew {
			anew = "1"
		}
		k := &d.keys[p]
		calls = append(calls, d.control.B().Eval().Script(whoScript).Numkeys(1).Key(k.who+d.cfg.Node).
			Arg(a.from, a.to, anew, d.publish, k.channel, a.notice, strconv.Itoa(len(a.set)/2)).
			Arg(a.set...).Arg(a.drop...).Build())
		rosters = append(rosters, r)
	}
	return calls, rosters
}

// settle tells rosters what became of their amendments. What failed otherwise than by a
// refusal may have been carried out; it is tried again.
func settle(rosters []*roster, answers []rueidis.RedisResult) (more bool, failed error) {
	for i, r := range rosters {
		err := answers[i].Error()
		if err == nil {
			more = r.done() || more
			continue
		}
		err = refusedBy(err)
		var refused *refusal
		if errors.As(err, &refused) && refused.name == refusedVersion {
			r.refused()
			more = true
			continue
		}
		failed = err
	}
	return more, failed
}

// takeTypists adds to calls what is to be told of who types.
func (d *directory) takeTypists(calls rueidis.Commands) rueidis.Commands {
	for range typistsMost {
		select {
		case t := <-d.typists:
			calls = append(calls, d.control.B().Arbitrary(d.publish).Keys(d.keys[t.partition].channel).Args(t.notice).Build())
		default:
			return calls
		}
	}
	return calls
}

// dropTypists drops what would come too late to be true.
func (d *directory) dropTypists() {
	for {
		select {
		case <-d.typists:
			d.stats.untold.Add(1)
		default:
			return
		}
	}
}

// askEach makes calls together, and leaves it to the caller to look at each answer.
func (d *directory) askEach(ctx context.Context, l lane, limit time.Duration, calls rueidis.Commands) ([]rueidis.RedisResult, error) {
	return ask(ctx, l, limit, func(ctx context.Context) ([]rueidis.RedisResult, error) {
		return d.control.DoMulti(ctx, calls...), nil
	})
}

// askAll makes calls together. The error is the first of any of them; that something is
// not there is none.
func (d *directory) askAll(ctx context.Context, l lane, limit time.Duration, calls rueidis.Commands) ([]rueidis.RedisResult, error) {
	answers, err := d.askEach(ctx, l, limit, calls)
	if err != nil {
		return nil, err
	}
	for i := range answers {
		if err := answers[i].Error(); err != nil && !rueidis.IsRedisNil(err) {
			return nil, refusedBy(err)
		}
	}
	return answers, nil
}
