package crowd

import "time"

// stay is the time for which somebody is in a room, or was. Who never was has the zero
// one.
type stay struct {
	room, user string
	from       time.Time
	to         time.Time // zero: is in
}

// came notes that a member has joined.
func (c *Crowd) came(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stays[m.number] = stay{room: m.room, user: m.user, from: time.Now()}
}

// went notes that a member's connection has ended.
func (c *Crowd) went(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := &c.stays[m.number]; s.to.IsZero() {
		s.to = time.Now()
	}
}

// visited notes that a guest was in a room, whose connection ends.
func (c *Crowd) visited(room, user string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stays = append(c.stays, stay{room: room, user: user, to: time.Now()})
}

// Present returns the members who have been in a room since then, and those who are in
// it, or left it after then.
func (c *Crowd) Present(room string, then time.Time) (sure, maybe map[string]bool) {
	sure, maybe = make(map[string]bool), make(map[string]bool)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.stays {
		if s.room != room || !s.to.IsZero() && s.to.Before(then) {
			continue
		}
		maybe[s.user] = true
		if s.to.IsZero() && s.from.Before(then) {
			sure[s.user] = true
		}
	}
	return sure, maybe
}
