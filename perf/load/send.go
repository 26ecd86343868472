//go:build linux

package load

import (
	"errors"
	"nebula/perf/sock"
	"nebula/perf/wire"
)

// say sends one frame of a client; payload is copied.
func (g *Generator) say(c *client, op byte, payload []byte) {
	c.mask = c.mask*6364136223846793005 + 1442695040888963407 // Knuth's MMIX; a mask need not be secret here
	g.frame = wire.AppendMasked(g.frame[:0], op, payload, uint32(c.mask>>32))
	g.send(c, g.frame)
}

// send gives the kernel what it takes; the rest waits with the client.
func (g *Generator) send(c *client, b []byte) {
	if len(c.out) > 0 {
		g.seen.blocked++
		c.out = append(c.out, b...)
		return
	}
	n, err := sock.Send(int(c.fd), b)
	if err != nil && !errors.Is(err, sock.ErrAgain) {
		return // the end of the connection is reported by epoll, with what came before it
	}
	if n < len(b) {
		g.seen.blocked++
		c.out = append(c.out, b[n:]...)
		g.watch(c)
	}
}

// flush sends what waited.
func (g *Generator) flush(c *client) {
	if len(c.out) == 0 {
		return
	}
	n, err := sock.Send(int(c.fd), c.out)
	if err != nil && !errors.Is(err, sock.ErrAgain) {
		return
	}
	if c.out = c.out[n:]; len(c.out) == 0 {
		c.out = nil
		g.watch(c)
	}
}

// watch tells epoll what the client waits for.
func (g *Generator) watch(c *client) {
	what := uint32(sock.Read)
	if c.paused {
		what = 0
	}
	if len(c.out) > 0 {
		what |= sock.Write
	}
	if err := g.poller.Change(int(c.fd), c.place, c.gen, what); err != nil {
		panic("load: " + err.Error()) // only for a descriptor that is not ours
	}
}
