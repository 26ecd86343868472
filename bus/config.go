package bus

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says which bus, and who this node is there.
type Config struct {
	URL        string       // see operations; needed
	Node       string       // this node's name; unique in the cluster; needed
	Advertise  string       // where other nodes reach this one's admin address
	Partitions int          // as many as shards; the first node of a cluster decides; needed
	LogBytes   int          // of a partition's log on the bus, about; default 4 MiB
	Log        *slog.Logger // default: nothing is logged

	pace pace // zero values mean the default; tests are quicker
}

// pace is all times and limits of the bus.
type pace struct {
	call     time.Duration // longest time that one call to Redis may take
	wait     time.Duration // longest time that a message waits for the bus to come back
	unseen   time.Duration // longest time that a message waits to come back in its entry
	poll     time.Duration // heads are compared so often
	window   time.Duration // a bucket of the dedupe window
	patience time.Duration // for other nodes to put back what the log lost, before it is opened
	beat     time.Duration // a node renews its lease so often
	dead     time.Duration // a node whose lease stood still for so long is dead
	progress time.Duration // an entry of our own must have come back within
	flush    time.Duration // presence is gathered for so long
	retry    backoff       // of connections

	restoreBytes int // of what is put back into a log that was lost as a whole
}

const defaultLogBytes = 4 << 20

func (c Config) withDefaults() Config {
	if c.LogBytes == 0 {
		c.LogBytes = defaultLogBytes
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	p := &c.pace
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&p.call, time.Second)
	set(&p.wait, 2*time.Second)
	set(&p.unseen, 4*time.Second)
	set(&p.poll, time.Second)
	set(&p.window, 15*time.Second)
	set(&p.patience, 3*time.Second)
	set(&p.beat, 2*time.Second)
	set(&p.dead, 9*time.Second)
	set(&p.progress, 5*time.Second)
	set(&p.flush, 50*time.Millisecond)
	set(&p.retry.first, 50*time.Millisecond)
	set(&p.retry.last, time.Second)
	if p.restoreBytes == 0 {
		p.restoreBytes = c.LogBytes / 2
	}
	return c
}

// validate returns all faults, joined.
func (c Config) validate() error {
	var faults []error
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("bus: "+format, args...))
		}
	}
	fault(c.Node == "", "no name for this node")
	fault(len(c.Node) > 255, "a node's name of %d bytes", len(c.Node))
	fault(c.Partitions < 1, "%d partitions", c.Partitions)
	fault(c.LogBytes < 0, "a log of %d bytes", c.LogBytes)
	return errors.Join(faults...)
}
