//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"nebula/perf/meter"
	"net/http"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readyWithin = 60 * time.Second
	stopWithin  = 20 * time.Second
	askEvery    = 10 * time.Millisecond
)

// servers are the processes that are measured: one, or the nodes of a cluster.
type servers []*server

// newServers returns those that the settings ask for. A node's address is the one before
// it plus one, and its number, from 1, stands for {node} in the command.
func newServers(s *settings, stderr io.Writer) (all servers) {
	addr := netip.MustParseAddrPort(s.addr) // validate has seen it
	for node := range s.nodes {
		one := newServer(s, stderr)
		one.addr = addr.String()
		for i, word := range one.command {
			one.command[i] = strings.ReplaceAll(word, "{node}", strconv.Itoa(node+1))
		}
		all = append(all, one)
		addr = netip.AddrPortFrom(addr.Addr().Next(), addr.Port())
	}
	return all
}

// start starts all, and waits until all can take traffic.
func (all servers) start(ctx context.Context) error {
	for _, s := range all {
		if err := s.launch(); err != nil {
			return err
		}
	}
	for _, s := range all {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// stop ends all that were started here, and waits for their ends.
func (all servers) stop(by syscall.Signal) {
	var ended sync.WaitGroup
	for _, s := range all {
		ended.Go(func() { s.stop(by) })
	}
	ended.Wait()
}

// metered tells whether there is a process to meter.
func (all servers) metered() bool { return all[0].pid != 0 }

// use reads what all have used so far; zero where there is none to meter.
func (all servers) use() (cpu meter.CPU, rss int64, err error) {
	for _, s := range all {
		used, size, err := s.use()
		if err != nil {
			return cpu, rss, err
		}
		cpu, rss = cpu.Add(used), rss+size
	}
	return cpu, rss, nil
}

// server is one process: one that was started here, or a running one that is only
// metered, or, with neither command nor pid, none.
type server struct {
	addr    string
	command []string
	stderr  io.Writer
	client  http.Client

	pid  meter.Process
	cmd  *exec.Cmd
	gone chan struct{} // closed when cmd has ended
}

func newServer(s *settings, stderr io.Writer) *server {
	return &server{
		addr: s.addr, command: strings.Fields(s.server), stderr: stderr, pid: meter.Process(s.pid),
		client: http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}},
	}
}

// launch starts the command, if there is one.
func (s *server) launch() error {
	if len(s.command) == 0 {
		return nil
	}
	s.cmd = exec.Command(s.command[0], s.command[1:]...)
	s.cmd.Stderr = s.stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is stopped from here, also when a terminal sends SIGINT
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start the server: %w", err)
	}
	s.pid = meter.Process(s.cmd.Process.Pid)
	s.gone = make(chan struct{})
	go func(cmd *exec.Cmd, gone chan struct{}) {
		_ = cmd.Wait()
		close(gone)
	}(s.cmd, s.gone)
	return nil
}

// ready waits until a server that was started here can take traffic.
func (s *server) ready(ctx context.Context) error {
	if s.cmd == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	for {
		if err := s.get(ctx, "http://"+s.addr+"/readyz"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server is not ready: %w", ctx.Err())
		case <-s.gone:
			return errors.New("the server ended before it was ready")
		case <-time.After(askEvery):
		}
	}
}

// get fetches an address whose answer must be 200.
func (s *server) get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	response, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return fmt.Errorf("ask the server: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask the server: %s", response.Status)
	}
	return nil
}

// stop ends a server that was started here, and waits for its end.
func (s *server) stop(by syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(by)
	select {
	case <-s.gone:
	case <-time.After(stopWithin):
		_ = s.cmd.Process.Kill()
		<-s.gone
	}
	s.cmd, s.pid = nil, 0
}

// use reads what the server has used so far; zero where there is none to meter.
func (s *server) use() (cpu meter.CPU, rss int64, err error) {
	if s.pid == 0 {
		return meter.CPU{}, 0, nil
	}
	if cpu, err = s.pid.CPU(); err != nil {
		return cpu, 0, fmt.Errorf("meter the server: %w", err)
	}
	if rss, err = s.pid.RSS(); err != nil {
		return cpu, 0, fmt.Errorf("meter the server: %w", err)
	}
	return cpu, rss, nil
}
