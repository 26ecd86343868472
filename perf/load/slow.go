//go:build linux

package load

// slowness lets the slow clients stop reading for a part of the step.
func (g *Generator) slowness() {
	if g.cfg.Slow == 0 {
		return
	}
	from := g.step.windowStart()
	sleep := g.step.Slow > 0 && g.now >= from && g.now < from+g.step.Slow
	if sleep == g.sleeping {
		return
	}
	g.sleeping = sleep
	for i := len(g.clients) - g.cfg.Slow; i < len(g.clients); i++ {
		c := &g.clients[i]
		switch {
		case sleep && c.state == joined:
			c.paused = true
			g.watch(c)
		case !sleep && c.paused:
			g.unpause(c)
		}
	}
}

func (g *Generator) unpause(c *client) {
	c.paused = false
	g.watch(c)
}
