package main

import (
	"errors"
	"fmt"
	"nebula/bus"
	"nebula/shard"
	"net"
	"time"
)

// openBus prepares the node's place in the cluster, if it is to have one.
func (a *app) openBus() (err error) {
	if a.cfg.redis == "" {
		return nil
	}
	a.member = &member{store: a.store, stale: make(chan struct{}, 1), newest: newestAlone(a.store, a.cfg.shards)}
	a.bus, err = bus.NewRedis(bus.Config{
		URL: a.cfg.redis, Node: a.cfg.node, Advertise: a.advertise(), Partitions: a.cfg.shards, Log: a.log,
	}, a.member, a.member)
	if err != nil {
		return fmt.Errorf("join the cluster: %w", err)
	}
	return nil
}

// joinCluster tells the shards who orders messages, and where the stored order ends.
func (a *app) joinCluster(cfg *shard.Config) shard.Relay {
	if a.bus == nil {
		return bus.Local{}
	}
	cfg.Places = make([]shard.Pos, a.cfg.shards)
	for i := range cfg.Places {
		cfg.Places[i].Epoch, cfg.Places[i].Seq = a.store.Place(i)
	}
	return relay{a.bus}
}

// advertise returns where other nodes reach the admin address; "": nowhere.
func (a *app) advertise() string {
	if a.cfg.advertise != "" || a.adminPort == nil {
		return a.cfg.advertise
	}
	addr, ok := a.adminPort.Addr().(*net.TCPAddr)
	if !ok || !addr.IP.IsUnspecified() {
		return a.adminPort.Addr().String()
	}
	return (&net.TCPAddr{IP: hostIP(), Port: addr.Port}).String()
}

// hostIP is the first address of this host that others may reach.
func hostIP() net.IP {
	addrs, err := net.InterfaceAddrs()
	if err == nil {
		for _, addr := range addrs {
			if n, ok := addr.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				return n.IP
			}
		}
	}
	return net.IPv4(127, 0, 0, 1)
}

// readyEvery is how often a node that catches up looks whether it has.
const readyEvery = 20 * time.Millisecond

// awaitReady says ready once this node has what the cluster has, and ends the process
// if the cluster will not have it: another -shards, or a -node that is taken.
func (a *app) awaitReady() {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := a.bus.Ready(); errors.Is(err, bus.ErrRefused) {
				a.failed <- err
				return
			}
			if len(a.notReady()) == 0 {
				a.sayReady()
				return
			}
		case <-a.ending.Done():
			return
		}
	}
}
