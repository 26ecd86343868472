//go:build linux

package load

import (
	"bytes"
	"nebula/perf/wire"
	"strconv"
)

// consume judges everything complete in b and returns the rest. If it ends the
// connection the rest means nothing.
func (g *Generator) consume(c *client, b []byte) []byte {
	if c.state == upgrading {
		b = b[g.upgraded(c, b):]
		if c.state != greeting {
			return b
		}
	}
	for len(b) > 0 && c.fd >= 0 {
		if c.state == joined {
			if n := g.expected(c, b); n > 0 {
				b = b[n:]
				continue
			}
		}
		f, err := wire.Next(b)
		if err != nil {
			g.seen.faults.Frames++
			g.end(c, "bad frame")
			return b
		}
		if f.Size == 0 {
			return b
		}
		g.received(c, f, b[:f.Size])
		b = b[f.Size:]
	}
	return b
}

// expected compares what came with the message that the client must get next, if
// its room knows that one; it returns the length of the frame, 0 if it is not it.
func (g *Generator) expected(c *client, b []byte) int {
	next := c.stream.Next()
	k := c.room.at(next)
	if k.seq != next || len(k.frame) == 0 || len(b) < len(k.frame) || !bytes.Equal(b[:len(k.frame)], k.frame) {
		return 0
	}
	c.stream.Advance(&g.seen.tally)
	g.delivered(c, k)
	return len(k.frame)
}

// delivered counts a live message that its member had not seen.
func (g *Generator) delivered(c *client, k *known) {
	g.seen.deliveries++
	if !k.measured || c.slow {
		return
	}
	took := g.now - k.due
	g.seen.latency.Record(took)
	if k.got++; k.got == k.want {
		g.seen.last.Record(took)
	}
}

// received handles one frame; raw is the whole of it.
func (g *Generator) received(c *client, f wire.Frame, raw []byte) {
	switch f.Op {
	case wire.OpText:
		if !f.Fin {
			g.seen.faults.Frames++ // the server never fragments
			return
		}
		g.event(c, f.Payload, raw)
	case wire.OpPing:
		g.say(c, wire.OpPong, f.Payload)
	case wire.OpPong:
	case wire.OpClose:
		g.say(c, wire.OpClose, f.Payload)
		g.end(c, strconv.Itoa(wire.CloseCode(f.Payload)))
	default:
		g.seen.faults.Frames++
		g.end(c, "binary frame")
	}
}
