//go:build nebulafault

package persist

import (
	"errors"
	"fmt"
	"nebula/shard"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// checkpointScale makes the log so short that a short run checkpoints often.
const checkpointScale = 64

const faultEnv = "NEBULA_FAILPOINT"

var errFault = errors.New("persist: a failpoint's error")

// faults are the failpoints that NEBULA_FAILPOINT names; doc.go says how.
type faults struct {
	// Static after arm.
	points []*point
	early  bool // ack:early
}

// point acts when it is passed for the count-th time.
type point struct {
	name   string
	action string // kill, error or sleep
	sleep  time.Duration
	count  int64

	passed atomic.Int64
}

// arm reads the environment.
func (f *faults) arm() error {
	for spec := range strings.SplitSeq(os.Getenv(faultEnv), ",") {
		if spec == "" {
			continue
		}
		if spec == "ack:early" {
			f.early = true
			continue
		}
		p, err := parsePoint(spec)
		if err != nil {
			return fmt.Errorf("persist: %s: %q: %w", faultEnv, spec, err)
		}
		f.points = append(f.points, p)
	}
	return nil
}

func parsePoint(spec string) (p *point, err error) {
	parts := strings.Split(spec, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return nil, errors.New("not name:action or name:action:count")
	}
	names := []string{
		"before-append", "after-append", "before-commit", "after-commit",
		"before-ack", "after-ack", "before-checkpoint", "after-checkpoint",
	}
	if !slices.Contains(names, parts[0]) {
		return nil, errors.New("no such failpoint")
	}
	p = &point{name: parts[0], count: 1}
	action, argument, _ := strings.Cut(parts[1], "=")
	p.action = action
	switch {
	case action == "sleep":
		p.sleep, err = time.ParseDuration(argument)
	case action != "kill" && action != "error":
		err = errors.New("no such action")
	}
	if err == nil && len(parts) == 3 {
		p.count, err = strconv.ParseInt(parts[2], 10, 64)
	}
	return p, err
}

// hit passes a failpoint; any goroutine.
func (f *faults) hit(name string) error {
	var err error
	for _, p := range f.points {
		if p.name == name && p.passed.Add(1) == p.count {
			err = errors.Join(err, p.act())
		}
	}
	return err
}

func (p *point) act() error {
	switch p.action {
	case "kill":
		if err := unix.Kill(os.Getpid(), unix.SIGKILL); err != nil {
			return os.NewSyscallError("kill", err)
		}
		select {} // nothing may happen until the signal arrives
	case "sleep":
		time.Sleep(p.sleep)
		return nil
	default:
		return errFault
	}
}

// ackEarly breaks the promise on purpose: it tells of a batch before its commit.
func (f *faults) ackEarly(batch []item, committed func([]shard.Notice)) {
	if !f.early {
		return
	}
	for i := range batch {
		r := &batch[i].Record
		if r.Body != nil && !r.Restored {
			committed([]shard.Notice{{Shard: r.Shard, Room: r.Room, Epoch: r.Epoch, Seq: r.Seq}})
		}
	}
}
