//go:build linux

package load

import (
	"fmt"
	"math/rand/v2"
	"nebula/perf/check"
	"nebula/perf/hist"
	"nebula/perf/meter"
	"nebula/perf/sock"
	"net/netip"
	"strconv"
	"syscall"
)

const (
	eventsAtOnce = 1024
	readBytes    = 64 << 10
	maxFrame     = 16 << 20
	keptFrames   = 16384 // known frames over all rooms
	spareFiles   = 32    // descriptors that are not clients
)

// Generator plays the clients of one worker.
type Generator struct {
	// Static after construction.
	cfg      Config
	clock    meter.Clock
	targets  []netip.AddrPort
	sources  []netip.Addr
	idPrefix string

	// Owned by the loop.
	poller  *sock.Poller
	chance  *rand.Rand
	clients []client
	rooms   []room
	senders []int32
	control *lines // commands; nil where there is no crew

	in      []byte   // shared read buffer
	spare   [][]byte // buffers for tails
	payload []byte   // of a frame under construction
	frame   []byte   // the frame

	now      int64 // as of the last read
	nextTick int64
	waited   int64 // time slept
	fresh    int   // clients that never tried to connect
	pending  int   // clients between connect and their goal
	arrived  int   // clients at their goal
	lost     []int32
	redial   []int32        // scratch of comeBack
	quietAt  int64          // time of the last presence frame
	failed   map[string]int // attempts to connect

	step     Plan
	k        uint64 // messages of the step whose turn has come
	storm    int    // clients of the storm that have asked to join
	sleeping bool   // the slow clients do not read

	ledger check.Ledger
	seen   sight
}

// sight is everything that is counted in a step.
type sight struct {
	tally      check.Tally
	faults     Faults
	errors     codes
	closed     codes
	published  int
	deliveries int
	bytes      int64
	reads      int
	presence   int
	foreign    int
	blocked    int
	skipped    int
	back       int
	rewound    int
	judged     int // payloads that encoding/json looked at, or not

	latency, last, acks, lateness, backTime, joinTime hist.Hist
}

// New prepares the clients; Connect connects them.
func New(cfg Config) (*Generator, error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil, fmt.Errorf("load: read the file limit: %w", err)
	}
	if uint64(cfg.Clients+spareFiles) > limit.Cur {
		return nil, fmt.Errorf("load: %d clients do not fit the file limit of %d: use more workers", cfg.Clients, limit.Cur)
	}
	clock, err := meter.NewClock()
	if err != nil {
		return nil, err
	}
	poller, err := sock.NewPoller(eventsAtOnce)
	if err != nil {
		return nil, err
	}
	g := &Generator{
		cfg: cfg, clock: clock, poller: poller,
		chance:   rand.New(rand.NewPCG(uint64(clock.Now()), uint64(cfg.Worker))),
		idPrefix: cfg.Run + "-" + strconv.Itoa(cfg.Worker) + "-",
		in:       make([]byte, 2*readBytes),
		failed:   make(map[string]int),
	}
	g.addresses()
	g.people()
	g.ledger.Open(0)
	return g, nil
}

// addresses spreads the worker over the loopback network: a pair of addresses
// has 28,000 ports.
func (g *Generator) addresses() {
	at := netip.MustParseAddrPort(g.cfg.Addr) // validated
	addr := at.Addr()
	for range g.cfg.Targets {
		g.targets = append(g.targets, netip.AddrPortFrom(addr, at.Port()))
		addr = addr.Next()
	}
	for i := range g.cfg.Sources {
		g.sources = append(g.sources, netip.AddrFrom4([4]byte{127, 0, byte(10 + g.cfg.Worker), byte(1 + i)}))
	}
}

// people puts clients into rooms.
func (g *Generator) people() {
	g.clients = make([]client, g.cfg.Clients)
	g.rooms = make([]room, g.cfg.Rooms)
	ring := 8
	for ring < 256 && 2*ring*g.cfg.Rooms <= keptFrames {
		ring *= 2
	}
	for i := range g.rooms {
		g.rooms[i] = room{index: int32(i), name: g.cfg.Prefix + strconv.Itoa(i), ring: make([]known, ring)}
	}
	for i := range g.clients {
		c := &g.clients[i]
		c.fd, c.place = -1, int32(i)
		c.slow = i >= g.cfg.Clients-g.cfg.Slow
		if g.cfg.Rooms > 0 {
			c.room = &g.rooms[(g.cfg.First+i*g.cfg.Stride)%g.cfg.Rooms]
			c.room.members++
		}
	}
	for i := range g.cfg.Senders {
		g.senders = append(g.senders, int32(i))
	}
}

// Close ends every connection with a reset.
func (g *Generator) Close() error {
	for i := range g.clients {
		if c := &g.clients[i]; c.fd >= 0 {
			sock.Abort(int(c.fd))
			c.fd, c.state = -1, away
		}
	}
	return g.poller.Close()
}

// codes counts by short names without allocating for one that it knows.
type codes []code

type code struct {
	name string
	n    int
}

func (c *codes) add(name []byte) {
	for i := range *c {
		if (*c)[i].name == string(name) {
			(*c)[i].n++
			return
		}
	}
	if len(*c) < 64 { // a server that invents codes fills no memory
		*c = append(*c, code{string(name), 1})
	}
}

func (c codes) counts() map[string]int {
	out := make(map[string]int, len(c))
	for _, one := range c {
		out[one.name] = one.n
	}
	return out
}
