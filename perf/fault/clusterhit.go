package main

import (
	"fmt"
	"nebula/perf/fault/verdict"
	"syscall"
	"time"
)

// hit does the blow and starts again what ended.
func (c *cluster) hit(k Strike, faults *verdict.Faults) error {
	n := c.nodes[k.Node]
	switch k.Blow {
	case Kill:
		return c.kill(faults, n)
	case Away:
		n.away = true
		return n.Kill(killWithin)
	case KillTwo:
		return c.kill(faults, n, c.nodes[(k.Node+1)%len(c.nodes)])
	case KillAll:
		return c.kill(faults, c.nodes...)
	case KillEarly:
		return c.killEarly(n, k.For, faults)
	case KillHeld, Hold, HoldLong:
		return c.hold(n, k, faults)
	case Term:
		return c.term(faults, n)
	case TermAll:
		return c.term(faults, c.nodes...)
	case Roll:
		for _, n := range c.nodes {
			if err := c.term(faults, n); err != nil {
				return err
			}
		}
		return nil
	case Stall, Unplug:
		return n.cut(k)
	case Alone:
		return c.alone(n, k.For)
	}
	return c.hitBus(k.Blow, 0, k.For)
}

// kill ends nodes at once, and starts them again.
func (c *cluster) kill(faults *verdict.Faults, nodes ...*node) error {
	for _, n := range nodes {
		if err := n.Signal(syscall.SIGKILL); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if _, err := n.Wait(killWithin); err != nil {
			return err
		}
		n.mourn(faults)
	}
	return c.bringUp(nodes...)
}

// killEarly kills a node, and again while it starts.
func (c *cluster) killEarly(n *node, after time.Duration, faults *verdict.Faults) error {
	if err := n.Kill(killWithin); err != nil {
		return err
	}
	if err := c.launch(n); err != nil {
		return err
	}
	time.Sleep(after)
	return c.kill(faults, n)
}

// hold stops a node for a while; then it goes on, or is killed.
func (c *cluster) hold(n *node, k Strike, faults *verdict.Faults) error {
	n.held.Store(true)
	defer n.held.Store(false)
	if err := n.pause(k.For); err != nil {
		return err
	}
	if k.Blow == KillHeld {
		return c.kill(faults, n)
	}
	return n.Signal(syscall.SIGCONT)
}

// term stops nodes cleanly, all at once, and starts them again.
func (c *cluster) term(faults *verdict.Faults, nodes ...*node) error {
	for _, n := range nodes {
		if err := n.Signal(syscall.SIGTERM); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if _, err := n.stopped(faults); err != nil {
			return err
		}
		n.mourn(faults)
	}
	return c.bringUp(nodes...)
}

// mourn notes if a node that has ended had panicked.
func (n *node) mourn(faults *verdict.Faults) {
	if line := n.Panic(); line != "" {
		faults.Add(verdict.Broken, "%s: %s", n.name, line)
	}
}

// cut parts a node from the bus for a while.
func (n *node) cut(k Strike) error {
	if k.Blow == Stall {
		n.link.Stall()
	} else {
		n.link.Break()
	}
	time.Sleep(k.For)
	n.link.Mend()
	return nil
}

// alone has one node hear what the others do not, and the bus forget it.
func (c *cluster) alone(n *node, d time.Duration) error {
	for _, other := range c.nodes {
		if other != n {
			other.link.Stall()
			defer other.link.Mend()
		}
	}
	return c.hitBus(BusBack, 0, d)
}

// hitBus does a blow to the bus, a while later.
func (c *cluster) hitBus(blow Blow, lag, d time.Duration) error {
	time.Sleep(lag)
	switch blow {
	case "":
		return nil
	case BusKill:
		return c.renewBus(d, func() error { return nil })
	case BusEmpty:
		return c.renewBus(d, c.bus.Empty)
	case BusBack:
		if err := c.bus.Save(); err != nil {
			return err
		}
		time.Sleep(d)
		return c.renewBus(0, c.bus.Restore)
	case BusHold:
		if err := c.bus.Signal(syscall.SIGSTOP); err != nil {
			return err
		}
		time.Sleep(d)
		return c.bus.Signal(syscall.SIGCONT)
	case BusCut:
		for _, kind := range []string{"normal", "pubsub"} {
			if _, err := c.bus.Ask("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("fault: blow %q is not known", blow)
}

// renewBus kills the bus and starts it after a while with what change made of its files.
func (c *cluster) renewBus(down time.Duration, change func() error) error {
	if err := c.bus.Kill(); err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	time.Sleep(down)
	return c.bus.Start()
}
