package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"nebula/perf/fault/server"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Config is what the flags say.
type Config struct {
	Seed       uint64
	Kills      int
	Nodes      int // 1: without a cluster
	Durability string
	Senders    int
	Rooms      int
	Readers    int // a room
	Window     int // unacked messages a sender
	Rate       int // messages a second
	Probes     int // cursors that are tried at the end
	Limit      time.Duration
	Server     string // a binary; "" builds one
	Point      string // NEBULA_FAILPOINT of every start
	Points     bool   // walk all failpoints
	JSON       bool
}

func (c *Config) bind(f *flag.FlagSet) {
	f.Uint64Var(&c.Seed, "seed", 1, "of the schedule and of what clients do")
	f.IntVar(&c.Kills, "kills", 50, "SIGKILLs; for every five of them one SIGTERM and one SIGSTOP; of a cluster: strikes in all")
	f.IntVar(&c.Nodes, "nodes", 1, "servers; several are a cluster, with a bus of their own")
	f.StringVar(&c.Durability, "durability", "os", "of the server: os or disk")
	f.IntVar(&c.Senders, "senders", 50, "members who send")
	f.IntVar(&c.Rooms, "rooms", 10, "rooms")
	f.IntVar(&c.Readers, "readers", 2, "members a room who only read; every other one comes and goes")
	f.IntVar(&c.Window, "window", 32, "messages of a sender without an ack")
	f.IntVar(&c.Rate, "rate", 10000, "messages a second at most; every other room is quiet, so it is about half")
	f.IntVar(&c.Probes, "probes", 2000, "cursors of clients that are tried at the end")
	f.DurationVar(&c.Limit, "limit", 15*time.Minute, "longest time of the run, building apart")
	f.StringVar(&c.Server, "server", "", "a binary to run instead of one built now")
	f.StringVar(&c.Point, "failpoint", "", "NEBULA_FAILPOINT of every start, such as ack:early")
	f.BoolVar(&c.Points, "failpoints", false, "walk all failpoints instead of random moments")
	f.BoolVar(&c.JSON, "json", false, "the result as JSON")
}

func (c *Config) validate() error {
	var bad []error
	if c.Durability != "os" && c.Durability != "disk" {
		bad = append(bad, fmt.Errorf("-durability %q is neither os nor disk", c.Durability))
	}
	if c.Kills < 0 || c.Senders < 1 || c.Rooms < 1 || c.Readers < 0 || c.Probes < 0 || c.Window < 1 || c.Rate < 1 {
		bad = append(bad, errors.New("-kills, -readers and -probes must not be less than 0, -senders, -rooms, -window and -rate not less than 1"))
	}
	if c.Nodes < 1 || c.Nodes > 1 && (c.Points || c.Point != "") {
		bad = append(bad, errors.New("-nodes must not be less than 1, and failpoints are for one only"))
	}
	return errors.Join(bad...)
}

func main() {
	var cfg Config
	cfg.bind(flag.CommandLine)
	flag.Parse()
	if err := cfg.validate(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if err := perform(cfg); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// perform builds the server, runs and reports.
func perform(cfg Config) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	work, err := os.MkdirTemp("", "nebula-fault-")
	if err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()

	binary := cfg.Server
	if binary == "" {
		binary = filepath.Join(work, "nebula")
		if err := build(ctx, binary, cfg.Point != "" || cfg.Points); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Limit)
	defer cancel()
	sys, err := newSystem(cfg, binary, work)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.Close()) }()
	result, err := run(ctx, cfg, sys, cfg.strikes(), func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, format+"\n", args...)
	})
	if err != nil {
		return fmt.Errorf("%w\nseed %d; the server's last words:\n%s", err, cfg.Seed, sys.Log())
	}
	if err := report(cfg, &result); err != nil {
		return err
	}
	if !result.Kept {
		return errBroken
	}
	return nil
}

func (c *Config) strikes() []Strike {
	chance := rand.New(rand.NewPCG(c.Seed, 0))
	if c.Points {
		return walk(chance)
	}
	if c.Nodes > 1 {
		return planCluster(chance, c.Kills, c.Nodes)
	}
	return plan(chance, c.Kills)
}

// buildWithin is long, because an empty build cache is.
const buildWithin = 10 * time.Minute

// build makes the server's binary.
func build(ctx context.Context, path string, failpoints bool) error {
	ctx, cancel := context.WithTimeout(ctx, buildWithin)
	defer cancel()
	args := []string{"build", "-o", path}
	if failpoints {
		args = append(args, "-tags", "nebulafault")
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "nebula/cmd/nebula")...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fault: building the server: %w\n%s", err, out)
	}
	return nil
}

// newSystem makes what is under test; its files are in work.
func newSystem(cfg Config, binary, work string) (System, error) {
	if cfg.Nodes > 1 {
		return newCluster(serverConfig(cfg, binary), cfg.Nodes, work)
	}
	one := serverConfig(cfg, binary)
	one.Args = append(one.Args, "-data", filepath.Join(work, "data"), "-admin", "")
	return newSingle(one, environment(cfg)...), nil
}

func serverConfig(cfg Config, binary string) server.Config {
	return server.Config{Binary: binary, Args: []string{
		"-durability", cfg.Durability, "-rate", "0", "-ip-rate", "0", "-queue", strconv.Itoa(queueOf(cfg)),
	}}
}

// queueOf is so short a queue that it is full now and then.
func queueOf(cfg Config) int { return max(100, cfg.Senders*cfg.Window/2) }

func environment(cfg Config) []string {
	if cfg.Point == "" {
		return nil
	}
	return []string{failpointEnv + cfg.Point}
}

func report(cfg Config, r *Result) error {
	if !cfg.JSON {
		r.print(os.Stdout)
		return nil
	}
	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(r); err != nil {
		return fmt.Errorf("fault: %w", err)
	}
	return nil
}
