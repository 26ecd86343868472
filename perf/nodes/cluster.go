//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"nebula/perf/resp"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// askWithin is the longest wait for one answer.
const askWithin = 5 * time.Second

// secret signs the cookies of all nodes.
const secret = "the secret of a measurement"

// cluster is the servers of a run and their bus.
type cluster struct {
	bus     *process
	busAddr string
	nodes   []*process
	addrs   []string // of the nodes
}

// buildWithin is how long a build may take, on a machine that has built nothing yet.
const buildWithin = 5 * time.Minute

// build makes a command of this module in folder.
func build(ctx context.Context, folder, command string) (binary string, err error) {
	ctx, cancel := context.WithTimeout(ctx, buildWithin)
	defer cancel()
	binary = filepath.Join(folder, filepath.Base(command))
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "nebula/"+command).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s: %w\n%s", command, err, out)
	}
	return binary, nil
}

// startCluster starts the bus and n nodes, which take traffic when it returns. What
// it returns is to be stopped also after an error.
func startCluster(ctx context.Context, folder, binary string, n int) (*cluster, error) {
	c := &cluster{}
	ports, err := freeAddrs(1 + 2*n)
	if err != nil {
		return c, err
	}
	if err := c.startBus(ctx, folder, ports[0]); err != nil {
		return c, err
	}
	for i := range n {
		name := "n" + strconv.Itoa(i+1)
		addr, admin := ports[1+2*i], ports[2+2*i]
		node, err := start(folder, name, binary, "-redis", "redis://"+c.busAddr, "-node", name, "-secret", secret,
			"-addr", addr, "-admin", admin, "-data", filepath.Join(folder, name), "-rate", "0", "-ip-rate", "0", "-log-level", "warn")
		if err != nil {
			return c, err
		}
		c.nodes, c.addrs = append(c.nodes, node), append(c.addrs, addr)
	}
	client := http.Client{Timeout: askWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	for i, node := range c.nodes {
		if err := node.await(ctx, func() error { return serves(ctx, &client, c.addrs[i]) }); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (c *cluster) startBus(ctx context.Context, folder, addr string) error {
	dir := filepath.Join(folder, "bus")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return fmt.Errorf("make the bus's folder: %w", err)
	}
	host, port, _ := strings.Cut(addr, ":")
	bus, err := start(folder, "redis-server", "redis-server", "--bind", host, "--port", port, "--dir", dir, "--save", "",
		"--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory-policy", "noeviction", "--lazyfree-lazy-expire", "yes")
	if err != nil {
		return err
	}
	c.bus, c.busAddr = bus, addr
	return bus.await(ctx, func() error {
		r, err := resp.Dial(addr)
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Ask("PING")
		return err
	})
}

// serves asks a node whether it takes traffic.
func serves(ctx context.Context, client *http.Client, addr string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask a node: %w", err)
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("ask a node: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("ask a node: %s", answer.Status)
	}
	return nil
}

// stop ends all nodes, then the bus.
func (c *cluster) stop() error {
	faults := make([]error, len(c.nodes)+1)
	var all sync.WaitGroup
	for i, node := range c.nodes {
		all.Go(func() { faults[i] = node.stop() })
	}
	all.Wait()
	if c.bus != nil {
		faults[len(c.nodes)] = c.bus.stop()
	}
	return errors.Join(faults...)
}
