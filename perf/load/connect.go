//go:build linux

package load

import (
	"fmt"
	"nebula/perf/sock"
	"nebula/perf/wire"
	"strconv"
)

const retryDelay = 100 * millisecond

// Connect connects every client and, if they are to join, waits until they have.
func (g *Generator) Connect() (Ready, error) {
	began := g.clock.Now()
	g.fresh = len(g.clients)
	_, err := g.run(began+g.cfg.Patience, func() bool { return g.arrived == len(g.clients) })
	ready := Ready{Clients: len(g.clients), Failed: g.failed, Seconds: float64(g.clock.Now()-began) / float64(second)}
	for i := range g.clients {
		if g.clients[i].state == joined {
			ready.Joined++
		}
	}
	if err == nil && g.arrived < len(g.clients) {
		err = fmt.Errorf("load: %d of %d clients arrived in %.0f s; attempts that failed: %v", g.arrived, len(g.clients), ready.Seconds, g.failed)
	}
	return ready, err
}

// dialMore starts handshakes up to the limit.
func (g *Generator) dialMore() {
	for g.fresh > 0 && g.pending < g.cfg.Unanswered {
		c := &g.clients[len(g.clients)-g.fresh]
		g.fresh--
		g.dial(c)
	}
}

func (g *Generator) dial(c *client) {
	g.pending++
	c.gen++
	pair := g.chance.IntN(len(g.targets) * len(g.sources)) // another try, another one
	receive := 0
	if c.slow {
		receive = g.cfg.SlowBuffer
	}
	fd, err := sock.Dial(g.targets[pair%len(g.targets)], g.sources[pair/len(g.targets)], receive)
	if err != nil {
		g.again(c, err.Error())
		return
	}
	c.fd, c.state = int32(fd), connecting
	if err := g.poller.Add(fd, c.place, c.gen, sock.Read|sock.Write); err != nil {
		g.hangUp(c)
		g.again(c, err.Error())
	}
}

// connected asks for the upgrade.
func (g *Generator) connected(c *client) {
	if err := sock.Connected(int(c.fd)); err != nil {
		g.hangUp(c)
		g.again(c, err.Error())
		return
	}
	c.state = upgrading
	g.watch(c)
	g.frame = wire.AppendUpgrade(g.frame[:0], g.cfg.Addr, c.key())
	g.send(c, g.frame)
}

// upgraded reads the answer to the handshake and returns its length; 0: not complete, or refused.
func (g *Generator) upgraded(c *client, b []byte) int {
	status, size, err := wire.ReadAnswer(b, c.key())
	switch {
	case err != nil:
		g.seen.faults.Frames++
		g.hangUp(c)
		g.again(c, err.Error())
		return 0
	case size == 0:
		return 0
	case status != 101:
		g.hangUp(c)
		g.again(c, "HTTP "+strconv.Itoa(status))
		return 0
	}
	c.state = greeting
	return size
}

// welcomed goes on to the room, or is where it should be.
func (g *Generator) welcomed(c *client) {
	c.state = idle
	if c.room == nil || g.cfg.Late && !g.step.Storm {
		g.arrive(c)
		return
	}
	g.join(c)
}

func (g *Generator) join(c *client) {
	c.state = joining
	after := uint64(0)
	if c.epoch != "" {
		after = c.stream.Next() - 1
	}
	g.payload = wire.AppendJoin(g.payload[:0], c.room.name, c.epoch, after)
	g.say(c, wire.OpText, g.payload)
}

// arrive counts a client that is where it should be, and lets the next one try.
func (g *Generator) arrive(c *client) {
	if c.here {
		return // a storm's join: it was counted when it was connected
	}
	c.here = true
	g.pending--
	g.arrived++
	g.dialMore()
}

// again notes why an attempt failed and tries later.
func (g *Generator) again(c *client, why string) {
	g.failed[why]++
	g.pending--
	c.state = away
	c.retryAt = g.now + retryDelay + g.chance.Int64N(retryDelay)
	g.lost = append(g.lost, c.place)
}

// end is for a connection that the server, or the network, ended.
func (g *Generator) end(c *client, why string) {
	if !c.here {
		g.hangUp(c)
		g.again(c, why)
		return
	}
	g.seen.closed.add([]byte(why))
	c.here = false
	g.arrived--
	if c.state == joined && !c.slow {
		c.room.ready--
	}
	c.cut, c.leftAt = g.ledger.Next(), g.now
	g.hangUp(c)
	if g.cfg.Resume {
		c.retryAt = g.now + g.chance.Int64N(max(c.spread, retryDelay))
		c.spread = 0
		g.lost = append(g.lost, c.place)
	}
}

// comeBack dials again for those whose time has come, within the limit on handshakes.
func (g *Generator) comeBack() {
	kept := g.lost[:0]
	for i, place := range g.lost {
		c := &g.clients[place]
		if g.pending >= g.cfg.Unanswered {
			kept = append(kept, g.lost[i:]...)
			break
		}
		if c.retryAt > g.now {
			kept = append(kept, place)
			continue
		}
		g.redial = append(g.redial, place)
		g.pending++
	}
	g.lost = kept
	for _, place := range g.redial {
		g.pending--
		g.dial(&g.clients[place]) // may put it into g.lost again
	}
	g.redial = g.redial[:0]
}

// hangUp closes the socket and forgets what was on its way.
func (g *Generator) hangUp(c *client) {
	sock.Close(int(c.fd))
	c.fd, c.state, c.paused, c.asking = -1, away, false, false
	g.keep(c, nil)
	c.out = nil
}
