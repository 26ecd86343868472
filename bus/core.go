package bus

import (
	"context"
	"log/slog"
	"nebula/shard"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/redis/rueidis"
)

// core is what all parts of the bus share.
type core struct {
	// Static after construction.
	cfg    Config
	log    *slog.Logger
	rooms  Rooms
	ledger Ledger
	option rueidis.ClientOption
	ctx    context.Context // ends with Close
	stats  stats
	poke   chan struct{} // has heads compared now

	// Static after construction; the directory's. others returns the names of the other
	// live nodes, and whether these are all; note takes what comes over a partition's
	// channel and is no entry.
	others func() (names []string, complete bool)
	note   func(partition int, s string)

	// Static once connected is closed.
	connected chan struct{}
	send      rueidis.Client // batches
	control   rueidis.Client // all that may be slow: heads, the log, recovery, leases, presence
	listen    rueidis.Client // subscriptions
	publish   string         // PUBLISH or, in a Redis Cluster, SPUBLISH
	subscribe string         // likewise

	running sync.WaitGroup
}

// stats are counters that anybody reads.
type stats struct {
	publish    *shard.Histogram // see Stats
	lag        *shard.Histogram
	listening  atomic.Int64  // subscriptions in force
	nodes      atomic.Int64  // with a lease
	returned   atomic.Int64  // when the newest entry of our own came back, Unix ns
	gaps       atomic.Uint64 // see Stats
	refilled   atomic.Uint64
	duplicates atomic.Uint64
	failures   atomic.Uint64
	untold     atomic.Uint64
}

// begin starts a goroutine that Close waits for.
func (c *core) begin(run func()) {
	c.running.Go(run)
}

// sleep waits for d; false: the bus is being closed.
func (c *core) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-c.ctx.Done():
		return false
	}
}

// connect makes the clients, however often it takes, and closes connected; false: the
// bus is being closed.
func (c *core) connect() bool {
	retry := c.cfg.pace.retry
	for _, client := range []*rueidis.Client{&c.send, &c.control, &c.listen} {
		for failing := false; ; failing = true {
			made, err := rueidis.NewClient(c.option)
			if err == nil {
				*client = made
				break
			}
			if !failing { // readiness tells that it lasts
				c.log.Warn("the bus cannot be reached", "hosts", strings.Join(c.option.InitAddress, ","), "err", err)
			}
			if !c.sleep(retry.wait()) {
				return false
			}
		}
	}
	c.publish, c.subscribe = "PUBLISH", "SUBSCRIBE"
	if c.send.Mode() == rueidis.ClientModeCluster {
		c.publish, c.subscribe = "SPUBLISH", "SSUBSCRIBE"
	}
	close(c.connected)
	return true
}

// clientOption completes what ParseURL returned with what keeps a call from hanging or
// from being carried out twice: no retries, one connection a client so that calls stay
// in order, a ping every half second that ends a connection which is silent for one.
func clientOption(opt rueidis.ClientOption, node string) rueidis.ClientOption {
	opt.ClientName = "nebula:" + printable(node)
	opt.Dialer.Timeout = time.Second
	opt.Dialer.KeepAlive = 500 * time.Millisecond
	opt.ConnWriteTimeout = time.Second
	opt.DisableRetry = true
	opt.DisableCache = true
	opt.AlwaysPipelining = true
	opt.PipelineMultiplex = -1
	opt.ReadBufferEachConn = 128 << 10
	opt.WriteBufferEachConn = 128 << 10
	opt.ClusterOption.ShardsRefreshInterval = 5 * time.Second
	opt.ClusterOption.MaxMovedRedirections = 3
	opt.Sentinel.Dialer = opt.Dialer
	opt.Sentinel.TLSConfig = opt.TLSConfig
	opt.Sentinel.TopologyRefreshInterval = 5 * time.Second
	return opt
}

// printable returns s as CLIENT SETNAME takes it: no blanks, no controls.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
}

// hangUp closes the clients; it may wait for the network.
func (c *core) hangUp() {
	for _, client := range []rueidis.Client{c.send, c.control, c.listen} {
		if client != nil {
			client.Close()
		}
	}
}

// view returns b as a string without a copy; nobody may write to b meanwhile.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
