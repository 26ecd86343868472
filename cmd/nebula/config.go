package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"nebula/bus"
	"nebula/netpoll"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// config is every setting of the command line; newFlags says what each is for.
type config struct {
	addr, admin, data        string
	redis, node, advertise   string
	secret, secretFile       string
	origins                  list
	proxies                  prefixes
	cookieSecure             string
	engine                   string
	loops, shards            int
	rate, ipRate             float64
	burst, ipBurst           int
	ipConns, maxConns, rooms int
	frameBytes, textBytes    int
	sendBytes, queue         int
	durability               string
	retain                   int
	heartbeat, grace, drain  time.Duration
	log                      string
	logLevel                 slog.Level
	health, version          bool
}

// list is a comma-separated flag.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(s string) error {
	*l = nil
	for item := range strings.SplitSeq(s, ",") {
		if item = strings.TrimSpace(item); item != "" {
			*l = append(*l, item)
		}
	}
	return nil
}

// prefixes is a comma-separated flag of CIDRs; a bare address stands for itself.
type prefixes []netip.Prefix

func (p *prefixes) String() string {
	var out []string
	for _, one := range *p {
		out = append(out, one.String())
	}
	return strings.Join(out, ",")
}

func (p *prefixes) Set(s string) error {
	*p = nil
	var items list
	_ = items.Set(s) // never fails
	for _, item := range items {
		prefix, err := netip.ParsePrefix(item)
		if addr, addrErr := netip.ParseAddr(item); addrErr == nil {
			prefix, err = addr.Prefix(addr.BitLen())
		}
		if err != nil {
			return fmt.Errorf("%q is no CIDR", item)
		}
		*p = append(*p, prefix)
	}
	return nil
}

// contains tells whether addr is in one of the prefixes.
func (p prefixes) contains(addr netip.Addr) bool {
	for _, one := range p {
		if one.Contains(addr) {
			return true
		}
	}
	return false
}

// parse reads the environment (NEBULA_ and the flag's name) and then args, which
// win. The error is one line for the operator; flag.ErrHelp after -h.
func parse(args []string, getenv func(string) (string, bool), help io.Writer) (config, error) {
	var c config
	f := newFlags(&c)
	f.SetOutput(io.Discard)
	var faults []error
	f.VisitAll(func(one *flag.Flag) {
		name := "NEBULA_" + strings.ToUpper(strings.ReplaceAll(one.Name, "-", "_"))
		if value, ok := getenv(name); ok {
			if err := f.Set(one.Name, value); err != nil {
				faults = append(faults, fmt.Errorf("invalid value %q for %s: %w", value, name, err))
			}
		}
	})
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			f.SetOutput(help)
			fmt.Fprintln(help, "nebula [flags], each also as environment variable NEBULA_NAME:")
			f.PrintDefaults()
		}
		return c, err
	}
	if f.NArg() > 0 {
		faults = append(faults, fmt.Errorf("unexpected argument %q", f.Arg(0)))
	}
	if len(faults) == 0 && !c.version && !c.health {
		faults = append(faults, c.complete(), c.validate())
	}
	return c, oneLine(errors.Join(faults...))
}

// oneLine makes of joined errors one line.
func oneLine(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ReplaceAll(err.Error(), "\n", "; "))
}

func newFlags(c *config) *flag.FlagSet {
	f := flag.NewFlagSet("nebula", flag.ContinueOnError)
	f.StringVar(&c.addr, "addr", ":8080", "address of the page, /ws and the other public endpoints")
	f.StringVar(&c.admin, "admin", "127.0.0.1:6060", "address of /metrics, /dashboard and /debug/pprof/; empty: off")
	f.StringVar(&c.data, "data", "./data", "folder of the history database and the generated key; {slot} in it is the first free of 0, 1, 2 ...")
	f.StringVar(&c.redis, "redis", "", "cluster bus, redis://[user:pass@]host:port[/db]; empty: one machine")
	f.StringVar(&c.node, "node", "", "name of this node, unique in the cluster (default host name + random suffix)")
	f.StringVar(&c.advertise, "advertise", "", "where other nodes reach the admin address (default from -admin and the host's address)")
	f.StringVar(&c.secret, "secret", "", "cookie keys, comma-separated, the first signs (default generated, kept in -data)")
	f.StringVar(&c.secretFile, "secret-file", "", "file to read the cookie keys from")
	f.Var(&c.origins, "origins", "more allowed Origin hosts, host[:port], comma-separated")
	f.Var(&c.proxies, "trusted-proxies", "CIDRs whose X-Forwarded-For and X-Forwarded-Proto are believed")
	f.StringVar(&c.cookieSecure, "cookie-secure", "auto", "Secure attribute of the cookie: auto, always, never")
	f.StringVar(&c.engine, "engine", netpoll.Engines()[0], "event-loop engine: "+strings.Join(netpoll.Engines(), ", "))
	f.IntVar(&c.loops, "loops", 0, "event loops; 0: chosen from the CPUs")
	f.IntVar(&c.shards, "shards", 64, "room shards, a power of two")
	f.Float64Var(&c.rate, "rate", 10, "messages a second per user; 0: no limit")
	f.IntVar(&c.burst, "burst", 20, "messages a user may send at once")
	f.Float64Var(&c.ipRate, "ip-rate", 50, "upgrades a second per IP address; 0: no limit")
	f.IntVar(&c.ipBurst, "ip-burst", 200, "upgrades an IP address may ask at once")
	f.IntVar(&c.ipConns, "ip-conns", 0, "open connections per IP address; 0: no limit")
	f.IntVar(&c.maxConns, "max-conns", 0, "open connections in all; 0: from the file limit")
	f.IntVar(&c.rooms, "rooms", 100, "rooms joined at once by one connection")
	f.IntVar(&c.frameBytes, "frame-bytes", 32768, "largest WebSocket message accepted, bytes")
	f.IntVar(&c.textBytes, "text-bytes", 4096, "largest chat text, bytes")
	f.IntVar(&c.sendBytes, "send-bytes", 1<<20, "unsent bytes a connection may pile up")
	f.IntVar(&c.queue, "queue", 10000, "messages that may wait for the database")
	f.StringVar(&c.durability, "durability", "os", "os: committed; disk: synced too; none: memory only")
	f.IntVar(&c.retain, "retain", 0, "messages kept a room in the database; 0: all")
	f.DurationVar(&c.heartbeat, "heartbeat", 25*time.Second, "idle time after which a client is pinged")
	f.DurationVar(&c.grace, "presence-grace", 2*time.Second, "time in which a lost client may come back unnoticed")
	f.DurationVar(&c.drain, "drain", 10*time.Second, "longest time a graceful stop may take")
	f.StringVar(&c.log, "log", "text", "log format: text or json")
	f.TextVar(&c.logLevel, "log-level", slog.LevelInfo, "log level: debug, info, warn, error")
	f.BoolVar(&c.health, "health", false, "ask the server at -addr whether it is ready; exit 0 if so, else 1")
	f.BoolVar(&c.version, "version", false, "print version, commit and Go version")
	return f
}

// complete fills in what depends on the machine.
func (c *config) complete() error {
	if c.maxConns == 0 {
		var limit unix.Rlimit
		if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			return os.NewSyscallError("getrlimit", err)
		}
		files := int(min(limit.Cur, 1<<30))
		c.maxConns = max(files-min(files/4, 256), 1)
	}
	if c.node == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "nebula"
		}
		c.node = host + "-" + strconv.FormatInt(time.Now().UnixNano()%(36*36*36*36), 36)
	}
	return nil
}

// validate returns everything that contradicts itself.
func (c *config) validate() error {
	var faults []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	oneOf := func(name, value string, allowed ...string) {
		for _, one := range allowed {
			if value == one {
				return
			}
		}
		faults = append(faults, fmt.Errorf("-%s %q: want one of %s", name, value, strings.Join(allowed, ", ")))
	}
	oneOf("cookie-secure", c.cookieSecure, "auto", "always", "never")
	oneOf("engine", c.engine, netpoll.Engines()...)
	oneOf("durability", c.durability, "os", "disk", "none")
	oneOf("log", c.log, "text", "json")
	need(c.addr != "", "-addr must not be empty")
	if c.redis != "" {
		_, err := bus.ParseURL(c.redis)
		need(err == nil, "-redis: %v", err)
		need(c.durability != "none", "-redis needs a database, which -durability none has not")
		need(len(c.node) <= 255, "-node has %d bytes, want at most 255", len(c.node))
	}
	need(c.secret == "" || c.secretFile == "", "-secret and -secret-file exclude each other")
	need(c.loops >= 0 && c.loops <= 256, "-loops %d: want 0 to 256", c.loops)
	need(c.shards > 0 && c.shards <= 4096 && c.shards&(c.shards-1) == 0, "-shards %d: want a power of two up to 4096", c.shards)
	need(c.rate >= 0 && c.ipRate >= 0, "-rate and -ip-rate must not be negative")
	need(c.rate == 0 || c.burst > 0, "-burst must be positive when -rate is")
	need(c.ipRate == 0 || c.ipBurst > 0, "-ip-burst must be positive when -ip-rate is")
	need(c.ipConns >= 0, "-ip-conns must not be negative")
	need(c.maxConns > 0, "-max-conns must not be negative")
	need(c.rooms > 0, "-rooms must be positive")
	need(c.textBytes > 0 && c.textBytes <= 1<<20, "-text-bytes %d: want 1 to 1048576", c.textBytes)
	need(c.frameBytes >= 6*c.textBytes+1024, "-frame-bytes %d: want at least 6 x -text-bytes + 1024 = %d", c.frameBytes, 6*c.textBytes+1024)
	need(c.sendBytes >= 4*c.frameBytes, "-send-bytes %d: want at least 4 x -frame-bytes = %d", c.sendBytes, 4*c.frameBytes)
	need(c.queue > 0, "-queue must be positive")
	need(c.retain >= 0, "-retain must not be negative")
	need(c.retain == 0 || c.durability != "none", "-retain has no meaning with -durability none")
	need(c.heartbeat >= time.Second, "-heartbeat %v: want at least 1s", c.heartbeat)
	need(c.grace >= 0, "-presence-grace must not be negative")
	need(c.drain > 0, "-drain must be positive")
	return errors.Join(faults...)
}
