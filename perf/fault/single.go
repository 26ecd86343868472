package main

import (
	"fmt"
	"nebula/perf/fault/server"
	"nebula/perf/fault/verdict"
	"syscall"
	"time"
)

// How long to wait for a server, on a slow machine.
const (
	readyWithin = 30 * time.Second
	killWithin  = 10 * time.Second
	drainWithin = 20 * time.Second // -drain is 10 s
	pointWithin = 5 * time.Second  // for a failpoint under load; then it is stopped, which passes others
)

const failpointEnv = "NEBULA_FAILPOINT="

// single is one server on one machine.
type single struct {
	process
	env     []string // of every start
	drained map[int]bool
}

var _ System = (*single)(nil)

func newSingle(cfg server.Config, env ...string) *single {
	return &single{process: process{server.New(cfg)}, env: env, drained: make(map[int]bool)}
}

func (s *single) Addr(int) string                 { return s.Server.Addr() }
func (s *single) Nodes() []string                 { return []string{s.Server.Addr()} }
func (s *single) Shared() bool                    { return false }
func (s *single) StartOf(node string) (int, bool) { return server.StartOf(node) }
func (s *single) Drained() map[int]bool           { return s.drained }

func (s *single) Start() error {
	if err := s.Launch(s.env...); err != nil {
		return err
	}
	return s.Ready(readyWithin)
}

func (s *single) Strike(k Strike, faults *verdict.Faults) error {
	if s.Over() {
		faults.Add(verdict.Broken, "start %d ended by itself: %s", s.Starts(), s.Log())
		return s.Start()
	}
	if err := s.end(k, faults); err != nil {
		return err
	}
	if k.Blow == Hold {
		return nil
	}
	if line := s.Panic(); line != "" {
		faults.Add(verdict.Broken, "start %d: %s", s.Starts(), line)
	}
	return s.Start()
}

// end does the blow; afterwards nothing runs, unless it was held only.
func (s *single) end(k Strike, faults *verdict.Faults) error {
	switch k.Blow {
	case Kill, KillAll:
		return s.Kill(killWithin)
	case KillEarly:
		if err := s.Kill(killWithin); err != nil {
			return err
		}
		if err := s.Launch(s.env...); err != nil {
			return err
		}
		time.Sleep(k.For)
		return s.Kill(killWithin)
	case KillHeld:
		if err := s.pause(k.For); err != nil {
			return err
		}
		return s.Kill(killWithin)
	case Hold:
		if err := s.pause(k.For); err != nil {
			return err
		}
		return s.Signal(syscall.SIGCONT)
	case Term, TermAll:
		clean, err := s.stop(faults)
		s.drained[s.Starts()] = clean
		return err
	case Failpoint:
		return s.point(k.Point, faults)
	case Trouble:
		return s.trouble(k, faults)
	}
	return fmt.Errorf("fault: blow %q is not known", k.Blow)
}

// point starts it anew so that it kills itself at a failpoint: under load or, if
// that is not on its way, in stopping.
func (s *single) point(name string, faults *verdict.Faults) error {
	if err := s.arm(name); err != nil && !s.Over() {
		return err
	}
	code, err := s.Wait(pointWithin)
	if err != nil {
		if err := s.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if code, err = s.Wait(drainWithin); err != nil {
			return err
		}
	}
	if code != -1 {
		faults.Add(verdict.Broken, "failpoint %s was never reached: exit %d: %s", name, code, s.Log())
	}
	return nil
}

// trouble starts it anew with a failpoint that it must survive.
func (s *single) trouble(k Strike, faults *verdict.Faults) error {
	if err := s.arm(k.Point); err != nil {
		return err
	}
	time.Sleep(k.For)
	if s.Over() {
		faults.Add(verdict.Broken, "start %d with failpoint %s ended: %s", s.Starts(), k.Point, s.Log())
	}
	return s.Kill(killWithin)
}

// arm starts it anew with a failpoint.
func (s *single) arm(point string) error {
	if err := s.Kill(killWithin); err != nil {
		return err
	}
	if err := s.Launch(append([]string{failpointEnv + point}, s.env...)...); err != nil {
		return err
	}
	return s.Ready(readyWithin)
}
