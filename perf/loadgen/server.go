//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"nebula/perf/meter"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	readyWithin = 60 * time.Second
	stopWithin  = 20 * time.Second
	askEvery    = 10 * time.Millisecond
)

// server is the process that is measured: one that was started here, or a running
// one that is only metered, or, with neither command nor pid, none.
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

// start starts the command, if there is one, and waits until it can take traffic.
func (s *server) start(ctx context.Context) error {
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
	return s.ready(ctx)
}

func (s *server) ready(ctx context.Context) error {
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
