//go:build linux

package main

import (
	"errors"
	"fmt"
	"nebula/perf/resp"
	"strconv"
	"strings"
	"time"
)

// usage is what the servers have used since they began, or between two moments.
type usage struct {
	nodes, bus time.Duration // CPU, user and system, of all nodes and of Redis
	commands   float64       // that Redis carried out, those of scripts included
	scripts    float64       // script calls
	in, out    float64       // bytes that Redis read and wrote
}

// read reads the counters; it costs one command.
func (c *cluster) read(r *resp.Conn) (u usage, err error) {
	for _, node := range c.nodes {
		used, err := node.cpu()
		if err != nil {
			return u, err
		}
		u.nodes += used
	}
	if u.bus, err = c.bus.cpu(); err != nil {
		return u, err
	}
	info, err := r.Ask("INFO", "all")
	if err != nil {
		return u, err
	}
	return u, u.readInfo(info.Text)
}

// readInfo takes what it needs out of an answer of INFO.
func (u *usage) readInfo(info string) error {
	var faults []error
	found := 0
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		var to *float64
		switch name {
		case "total_commands_processed":
			to = &u.commands
		case "total_net_input_bytes":
			to = &u.in
		case "total_net_output_bytes":
			to = &u.out
		case "cmdstat_evalsha":
			calls, _, _ := strings.Cut(value, ",")
			value, to = strings.TrimPrefix(calls, "calls="), &u.scripts
		default:
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			faults = append(faults, fmt.Errorf("read %s of INFO: %w", name, err))
		}
		*to = n
		found++
	}
	if found != 4 {
		faults = append(faults, fmt.Errorf("INFO has %d of 4 counters", found))
	}
	return errors.Join(faults...)
}

// since is what was used after an earlier moment.
func (u usage) since(before usage) usage {
	return usage{
		u.nodes - before.nodes, u.bus - before.bus,
		u.commands - before.commands, u.scripts - before.scripts, u.in - before.in, u.out - before.out,
	}
}
