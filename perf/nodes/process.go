//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"nebula/perf/meter"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	upWithin   = 30 * time.Second
	stopWithin = 20 * time.Second
	askEvery   = 10 * time.Millisecond
)

// process is one server that was started here. It belongs to one goroutine at a time.
type process struct {
	name  string
	cmd   *exec.Cmd
	log   string        // file that it writes to
	ended chan struct{} // closed when it was waited for
}

// start starts a program whose output goes to a file in folder.
func start(folder, name string, command ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(command[0], command[1:]...), log: filepath.Join(folder, name+".log"), ended: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's SIGINT is for this process, which stops the others
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is asked in stop
		close(p.ended)
	}()
	return p, nil
}

// await asks until ask has no error.
func (p *process) await(ctx context.Context, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, upWithin)
	defer cancel()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w, %w\n%s", p.name, ctx.Err(), err, p.tail())
		case <-p.ended:
			return fmt.Errorf("%s ended before it was ready\n%s", p.name, p.tail())
		case <-time.After(askEvery):
		}
	}
}

// stop ends it as an operator does, and kills it if that takes too long. That it had
// ended before is an error too.
func (p *process) stop() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended too early: %v\n%s", p.name, p.cmd.ProcessState, p.tail())
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may end now by itself
	select {
	case <-p.ended:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.ended
		return fmt.Errorf("%s did not end within %v\n%s", p.name, stopWithin, p.tail())
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s ended with %d\n%s", p.name, code, p.tail())
	}
	return nil
}

// kill ends it at once.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.ended
}

// cpu is what it has used.
func (p *process) cpu() (time.Duration, error) {
	used, err := meter.Process(p.cmd.Process.Pid).CPU()
	if err != nil {
		return 0, fmt.Errorf("meter %s: %w", p.name, err)
	}
	return used.Total, nil
}

// tail is the end of what it wrote, for people.
func (p *process) tail() string {
	const most = 2000 // bytes
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(all[max(0, len(all)-most):])
}

// freeAddrs are loopback addresses that nobody listens on now.
func freeAddrs(n int) (addrs []string, err error) {
	for range n {
		l, fault := net.Listen("tcp4", "127.0.0.1:0")
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("find a free port: %w", fault))
			continue
		}
		defer l.Close() // not before all are found, or one could come twice
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, err
}
