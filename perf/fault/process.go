package main

import (
	"nebula/perf/fault/server"
	"nebula/perf/fault/verdict"
	"syscall"
	"time"
)

// process is one server, and what may be done to it.
type process struct{ *server.Server }

// pause stops it for a while; it does not go on by itself.
func (p process) pause(d time.Duration) error {
	if err := p.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(d)
	return nil
}

// stop is a clean stop, which must end well and in time.
func (p process) stop(faults *verdict.Faults) (clean bool, err error) {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return false, err
	}
	return p.stopped(faults)
}

// stopped waits for the end of a clean stop.
func (p process) stopped(faults *verdict.Faults) (clean bool, err error) {
	code, err := p.Wait(drainWithin)
	switch {
	case err != nil:
		faults.Add(verdict.Broken, "start %d after SIGTERM: %v", p.Starts(), err)
		return false, p.Kill(killWithin)
	case code != 0:
		faults.Add(verdict.Broken, "start %d after SIGTERM: exit %d: %s", p.Starts(), code, p.Log())
		return false, nil
	}
	return true, nil
}
