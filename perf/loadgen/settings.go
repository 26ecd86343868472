//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"nebula/perf/load"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// settings are the flags of one run.
type settings struct {
	mode string

	addr    string
	server  string // command line of the server; empty: it runs already
	nodes   int    // servers; of a cluster, where there are several
	pid     int
	collect string // address that makes the server collect its garbage
	workers int

	clients, rooms, senders, slow, text int
	resume                              bool
	rate                                float64
	warm, last, drain, slowFor          time.Duration

	stages int           // idle
	kill   bool          // restart
	limit  time.Duration // search
}

// mode is one kind of measurement.
type mode struct {
	name, what string
	preset     settings // defaults of the flags
	flags      string   // those beyond the common ones, with blanks around
	run        func(*bench) error
}

// mostClients of a worker; 32 files and a margin are kept.
const mostClients = 19_800

func modes() []mode {
	return []mode{
		{
			"steady", "publish at a steady rate",
			settings{clients: 1000, rooms: 10, rate: 100, warm: 2 * time.Second, last: 10 * time.Second},
			" rate warm senders resume ", (*bench).steady,
		},
		{
			"idle", "connect in stages and read the server's memory at each",
			settings{clients: 15_000, last: 3 * time.Second, stages: 3},
			" stages collect ", (*bench).idle,
		},
		{
			"storm", "let everybody join at once and count presence frames",
			settings{clients: 19_000, rooms: 1, last: 20 * time.Second},
			" ", (*bench).storm,
		},
		{
			"slow", "let some clients stop reading: they must get 1013 and resume without loss",
			settings{clients: 100, rooms: 1, slow: 5, text: 1000, rate: 1000, warm: time.Second, last: 10 * time.Second, slowFor: 8 * time.Second},
			" rate warm senders slow slow-for ", (*bench).slow,
		},
		{
			"overload", "offer far past capacity: memory must stay bounded and nobody may lose anything",
			settings{clients: 2000, rooms: 20, slow: 20, rate: 25_000, warm: time.Second, last: 5 * time.Second, slowFor: 5 * time.Second, drain: 120 * time.Second},
			" rate warm senders slow slow-for ", (*bench).overload,
		},
		{
			"restart", "restart the server under load: everybody must be back, no acked message gone (needs -server)",
			settings{clients: 1000, rooms: 10, rate: 500, warm: time.Second, last: 10 * time.Second, drain: 30 * time.Second},
			" rate warm senders kill ", (*bench).restart,
		},
		{
			"search", "find the highest rate whose p99 stays under the limit",
			settings{clients: 2000, rooms: 20, rate: 500, warm: time.Second, last: 4 * time.Second, limit: 150 * time.Millisecond, drain: 60 * time.Second},
			" rate warm senders limit ", (*bench).search,
		},
	}
}

func (m *mode) has(flag string) bool { return strings.Contains(m.flags, " "+flag+" ") }

// parse reads the command line.
func parse(args []string, stderr io.Writer) (*settings, error) {
	all := modes()
	at := -1
	if len(args) > 0 {
		at = slices.IndexFunc(all, func(m mode) bool { return m.name == args[0] })
	}
	if at < 0 {
		return nil, listModes(all, args, stderr)
	}
	m := &all[at]
	s := m.preset
	flags := s.define(m, stderr)
	if err := flags.Parse(args[1:]); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return &s, s.validate()
}

func listModes(all []mode, args []string, stderr io.Writer) error {
	if len(args) > 0 && !slices.Contains([]string{"-h", "-help", "--help", "help"}, args[0]) {
		return fmt.Errorf("unknown mode %q: loadgen -h lists them", args[0])
	}
	fmt.Fprintln(stderr, "usage: loadgen MODE [flags]; loadgen MODE -h for the flags of one")
	for _, m := range all {
		fmt.Fprintf(stderr, "  %-9s %s\n", m.name, m.what)
	}
	return flag.ErrHelp
}

// define makes the flags of a mode; what s holds are their defaults.
func (s *settings) define(m *mode, stderr io.Writer) *flag.FlagSet {
	s.mode = m.name
	flags := flag.NewFlagSet("loadgen "+m.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&s.addr, "addr", "127.0.0.1:8080", "address of the server, IPv4 loopback")
	flags.StringVar(&s.server, "server", "", "command that starts the server, words split at blanks; empty: it runs already")
	flags.IntVar(&s.nodes, "nodes", 1, "servers, at -addr and the addresses after it; {node} in -server stands for 1, 2, …")
	flags.IntVar(&s.pid, "pid", 0, "process id of a running server, to meter it")
	flags.IntVar(&s.workers, "workers", 0, "processes that play clients; 0: as few as the file limit allows")
	flags.IntVar(&s.clients, "clients", s.clients, "clients")
	flags.IntVar(&s.rooms, "rooms", s.rooms, "rooms over which the clients spread; 0: none joins")
	flags.IntVar(&s.text, "text", orElse(s.text, 128), "length of a text, bytes")
	flags.DurationVar(&s.last, "for", s.last, "how long to measure")
	flags.DurationVar(&s.drain, "drain", orElse(s.drain, 10*time.Second), "longest wait afterwards for what is on its way")
	if m.has("rate") {
		flags.Float64Var(&s.rate, "rate", s.rate, "messages a second over all rooms")
	}
	if m.has("warm") {
		flags.DurationVar(&s.warm, "warm", s.warm, "how long to publish before measuring")
	}
	if m.has("senders") {
		flags.IntVar(&s.senders, "senders", 0, "clients that publish; 0: all that read")
	}
	if m.has("slow") {
		flags.IntVar(&s.slow, "slow", s.slow, "clients that stop reading")
	}
	if m.has("slow-for") {
		flags.DurationVar(&s.slowFor, "slow-for", s.slowFor, "how long they do not read")
	}
	if m.has("resume") {
		flags.BoolVar(&s.resume, "resume", false, "clients that are thrown out come back")
	}
	if m.has("stages") {
		flags.IntVar(&s.stages, "stages", s.stages, "stages, a worker each")
	}
	if m.has("collect") {
		flags.StringVar(&s.collect, "collect", "", "URL to fetch before memory is read, such as http://127.0.0.1:6060/debug/pprof/heap?gc=1")
	}
	if m.has("kill") {
		flags.BoolVar(&s.kill, "kill", false, "stop the server by SIGKILL instead of SIGTERM")
	}
	if m.has("limit") {
		flags.DurationVar(&s.limit, "limit", s.limit, "p99 that must not be reached")
	}
	return flags
}

func orElse[T comparable](value, other T) T {
	var zero T
	if value == zero {
		return other
	}
	return value
}

// validate completes s and returns everything that is wrong with it. load.New judges the rest.
func (s *settings) validate() error {
	var faults []error
	if s.clients <= 0 {
		faults = append(faults, fmt.Errorf("-clients %d: want at least 1", s.clients))
	}
	if s.rate < 0 || s.last <= 0 || s.warm < 0 || s.drain < 0 || s.slowFor < 0 {
		faults = append(faults, errors.New("-rate and durations must not be negative, -for not zero"))
	}
	if at, err := netip.ParseAddrPort(s.addr); err != nil || !at.Addr().Is4() {
		faults = append(faults, fmt.Errorf("-addr %q: want an IPv4 address and a port", s.addr))
	}
	if s.nodes < 1 || s.nodes > 100 {
		faults = append(faults, fmt.Errorf("-nodes %d: want 1 to 100", s.nodes))
	}
	if s.server != "" && s.pid != 0 {
		faults = append(faults, errors.New("-server and -pid exclude each other"))
	}
	if s.mode == "restart" && s.server == "" {
		faults = append(faults, errors.New("restart needs -server"))
	}
	if s.mode == "idle" {
		s.workers = max(s.stages, 1)
	}
	s.workers = max(s.workers, (s.clients+mostClients-1)/mostClients)
	if s.workers > s.clients {
		faults = append(faults, fmt.Errorf("%d workers for %d clients", s.workers, s.clients))
	}
	if s.slow > 0 && s.slow >= s.clients {
		faults = append(faults, fmt.Errorf("-slow %d of %d clients", s.slow, s.clients))
	}
	return errors.Join(faults...)
}

// part is what worker number i of all plays.
func (s *settings) part(i int, run string) load.Config {
	share := func(n int) int { return n/s.workers + boolInt(i < n%s.workers) }
	return load.Config{
		Addr: s.addr, Targets: s.nodes, Clients: share(s.clients), First: i, Stride: s.workers, Total: s.clients,
		Rooms: s.rooms, Prefix: "load-" + run + "-", Late: s.mode == "storm", Senders: share(s.senders), Text: s.text,
		Slow: share(s.slow), Resume: s.resume || s.slow > 0 || s.mode == "restart" || s.mode == "search",
		Run: run, Worker: i,
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// plan is the step of one worker, from a time on.
func (s *settings) plan(start int64, rate float64) load.Plan {
	return load.Plan{
		Start: start, Warm: int64(s.warm), For: int64(s.last), Drain: int64(s.drain),
		Rate: rate / float64(s.workers), Slow: int64(s.slowFor), Storm: s.mode == "storm",
	}
}
