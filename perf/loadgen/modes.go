//go:build linux

package main

import (
	"fmt"
	"nebula/perf/load"
	"syscall"
	"time"
)

// steady publishes at one rate to whoever keeps up: nobody may be refused or thrown out.
func (b *bench) steady() error {
	if err := b.connect(); err != nil {
		return err
	}
	report, used, err := b.step(b.s.rate, nil)
	if err != nil {
		return err
	}
	b.result.take(report, used)
	b.result.wantOrder(report)
	b.result.wantNobodyRefused(report)
	return nil
}

// storm lets everybody join at once.
func (b *bench) storm() error {
	if err := b.connect(); err != nil {
		return err
	}
	report, used, err := b.step(0, nil)
	if err != nil {
		return err
	}
	b.result.take(report, used)
	b.result.wantOrder(report)
	b.result.wantNobodyRefused(report)
	b.result.wantBoundedPresence(report, b.s.clients)
	return nil
}

// slow lets some clients stop reading: each is to be thrown out with 1013, and to resume.
func (b *bench) slow() error {
	if err := b.connect(); err != nil {
		return err
	}
	report, used, err := b.step(b.s.rate, nil)
	if err != nil {
		return err
	}
	b.result.take(report, used)
	b.result.wantOrder(report)
	if n := report.Closed[tryAgainLater]; n != b.s.slow || n != sum(report.Closed) {
		b.result.fault("connections ended: %v, want the %d slow ones with 1013", report.Closed, b.s.slow)
	}
	if n := report.Answers.Refused + report.Answers.Unsure; n > 0 {
		b.result.fault("%d messages refused: %v", n, report.Errors)
	}
	return nil
}

// overload offers more than the server can take: it may refuse, and may throw out whoever is slow.
func (b *bench) overload() error {
	if err := b.connect(); err != nil {
		return err
	}
	report, used, err := b.step(b.s.rate, nil)
	if err != nil {
		return err
	}
	b.result.take(report, used)
	b.result.wantOrder(report)
	b.result.wantOnlySlow(report)
	for code, n := range report.Errors {
		if code != "busy" && code != "internal" {
			b.result.fault("%d errors %q, want none but busy and internal", n, code)
		}
	}
	return nil
}

// restart stops the server, or the first node, in the middle and starts it again.
func (b *bench) restart() error {
	if err := b.connect(); err != nil {
		return err
	}
	by := syscall.SIGTERM
	if b.s.kill {
		by = syscall.SIGKILL
	}
	down := int64(0)
	report, _, err := b.step(b.s.rate, func() error {
		began := b.clock.Now()
		first := b.servers[0]
		first.stop(by)
		err := first.launch()
		if err == nil {
			err = first.ready(b.ctx)
		}
		down = b.clock.Now() - began
		return err
	})
	if err != nil {
		return err
	}
	b.result.take(report, nil)
	b.result.wantOrder(report)
	audit, err := b.audit()
	if err != nil {
		return err
	}
	b.result.restarted(report, audit, time.Duration(down))
	return nil
}

// audit lets every worker read the history of its rooms.
func (b *bench) audit() (load.Audit, error) {
	var sum load.Audit
	if err := b.crew.tell(func(int) load.Command {
		return load.Command{Do: load.DoAudit, Wait: int64(b.s.drain)}
	}); err != nil {
		return sum, err
	}
	err := b.crew.hear(func(a load.Answer) {
		if a.Audit != nil {
			sum.Rooms += a.Audit.Rooms
			sum.Unread += a.Audit.Unread
			sum.Forgotten += a.Audit.Forgotten
			sum.Broken += a.Audit.Broken
		}
	})
	return sum, err
}

// idle connects a worker a stage and reads the server's memory in between.
func (b *bench) idle() error {
	if !b.servers.metered() {
		return fmt.Errorf("idle needs -server or -pid")
	}
	clients := 0
	for stage := range b.s.workers + 1 {
		if stage > 0 {
			ready, err := b.crew.hire(b.ctx, b.s.part(stage-1, b.run), b.stderr)
			if err != nil {
				return err
			}
			b.result.connected(ready)
			clients += ready.Clients
		}
		rss, err := b.settledMemory()
		if err != nil {
			return err
		}
		b.result.stage(clients, rss)
	}
	report, used, err := b.step(0, nil)
	if err != nil {
		return err
	}
	b.result.take(report, used)
	b.result.wantOrder(report)
	b.result.wantNobodyRefused(report)
	return nil
}

// settledMemory waits until the server has given back what it does not need.
func (b *bench) settledMemory() (int64, error) {
	const rounds = 3
	for range rounds {
		if b.s.collect != "" {
			if err := b.servers[0].get(b.ctx, b.s.collect); err != nil {
				return 0, err
			}
		}
		b.sleep(b.clock.Now() + int64(b.s.last)/rounds)
	}
	_, rss, err := b.servers.use()
	return rss, err
}
