package main

import (
	"errors"
	"fmt"
	"nebula/perf/fault/link"
	"nebula/perf/fault/redis"
	"nebula/perf/fault/server"
	"nebula/perf/fault/verdict"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// clusterSecret signs cookies on all nodes.
const clusterSecret = "the secret of a fault run"

// clusterShards is how many partitions there are; rooms are spread over them.
const clusterShards = 8

// nodePrefix and a node's index make its name.
const nodePrefix = "node-"

// node is one server of a cluster, with a link of its own to the bus.
type node struct {
	process
	name string
	link *link.Link

	away bool // it has been killed, and comes back with the next strike

	// Atomic; written by the caller's goroutine.
	start atomic.Int64 // number of its last start, over all nodes
	held  atomic.Bool  // it is stopped and answers nobody
}

// cluster is several servers and their bus.
type cluster struct {
	bus    *redis.Server
	nodes  []*node
	starts int // over all nodes
}

var _ System = (*cluster)(nil)

// newCluster makes a cluster of servers with the same settings, -data apart, that does
// not run. Its files are in work.
func newCluster(cfg server.Config, nodes int, work string) (*cluster, error) {
	c := &cluster{bus: redis.New(filepath.Join(work, "bus"))}
	for i := range nodes {
		l, err := link.Listen(c.bus.Socket())
		if err != nil {
			return nil, errors.Join(err, c.Close())
		}
		name := nodePrefix + strconv.Itoa(i)
		one := cfg
		one.Node = name
		one.Args = append(slices.Clone(cfg.Args), "-data", filepath.Join(work, name), "-admin", "127.0.0.1:0",
			"-redis", "redis://"+l.Addr(), "-secret", clusterSecret, "-shards", strconv.Itoa(clusterShards))
		c.nodes = append(c.nodes, &node{process: process{server.New(one)}, name: name, link: l})
	}
	return c, nil
}

func (c *cluster) Shared() bool          { return true }
func (c *cluster) Starts() int           { return c.starts }
func (c *cluster) Drained() map[int]bool { return nil } // what was seen on one node is on all

// Addr is the client's own node, or else the next one that is there.
func (c *cluster) Addr(client int) string {
	for i := range c.nodes {
		n := c.nodes[(client+i)%len(c.nodes)]
		if addr := n.Addr(); addr != "" && !n.held.Load() {
			return addr
		}
	}
	return ""
}

// Nodes are all but one that is away: each takes traffic when Strike returns.
func (c *cluster) Nodes() (addrs []string) {
	for _, n := range c.nodes {
		if !n.away {
			addrs = append(addrs, n.Addr())
		}
	}
	return addrs
}

// StartOf is the node's last start: one that has ended tells nobody anything.
func (c *cluster) StartOf(name string) (int, bool) {
	for _, n := range c.nodes {
		if n.name == name {
			return int(n.start.Load()), true
		}
	}
	return 0, false
}

func (c *cluster) Start() error {
	if err := c.bus.Start(); err != nil {
		return err
	}
	return c.bringUp(c.nodes...)
}

// launch starts a node and does not wait.
func (c *cluster) launch(n *node) error {
	c.starts++
	n.start.Store(int64(c.starts))
	return n.Launch()
}

// bringUp starts nodes, all at once, and waits until they take traffic.
func (c *cluster) bringUp(nodes ...*node) error {
	for _, n := range nodes {
		if err := c.launch(n); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := n.Ready(readyWithin); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}

// Log is what all of them wrote.
func (c *cluster) Log() string {
	var all []string
	for _, n := range c.nodes {
		if n.Starts() > 0 {
			all = append(all, n.name+":", n.Log())
		}
	}
	return strings.Join(append(all, "redis:", c.bus.Log()), "\n")
}

// Close ends all nodes, the bus, and what is between.
func (c *cluster) Close() error {
	var faults []error
	for _, n := range c.nodes {
		faults = append(faults, n.Close(), n.link.Close())
	}
	c.nodes = nil
	return errors.Join(append(faults, c.bus.Close())...)
}

// Strike implements System.
func (c *cluster) Strike(k Strike, faults *verdict.Faults) error {
	for _, n := range c.nodes {
		if !n.Over() {
			continue
		}
		if !n.away {
			faults.Add(verdict.Broken, "%s ended by itself: %s", n.name, n.Log())
		}
		n.away = false
		if err := c.bringUp(n); err != nil {
			return err
		}
	}
	bus := make(chan error, 1)
	go func() { bus <- c.hitBus(k.Bus, k.BusLag, k.BusFor) }()
	if err := errors.Join(c.hit(k, faults), <-bus); err != nil {
		return err
	}
	return c.await()
}

// await waits until all nodes say that they take traffic.
func (c *cluster) await() error {
	deadline := time.Now().Add(readyWithin)
	for _, n := range c.nodes {
		if n.away {
			continue
		}
		if err := n.Serves(time.Until(deadline)); err != nil {
			return fmt.Errorf("%s: %w", n.name, err)
		}
	}
	return nil
}
