package shard

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// answerWithin is the time of protocol.md section 3.
const answerWithin = int64(5 * time.Second)

// checker compares what devices see with what the store holds.
type checker struct {
	sim      *sim
	problems []string
	acked    map[string]uint64 // seq by room, user and id
	orders   map[string][]row  // of this turn

	// How much happened.
	resumed, acks, refused int
}

// lossy tells whether what was given a place may lose it, and come back with another
// one, or before others. Then only what is left in the end can be compared.
func (c *checker) lossy() bool { return c.sim.bus != nil && c.sim.bus.loses }

func (c *checker) fail(format string, args ...any) { c.sim.complain(format, args...) }

// order is all messages of a room, in their order: that of the bus, or of the journal.
func (c *checker) order(room string) []row {
	rows, ok := c.orders[room]
	switch {
	case ok:
		return rows
	case c.sim.bus != nil:
		rows = c.sim.bus.rows(room)
	default:
		rows = c.sim.nodes[0].rows(room)
	}
	c.orders[room] = rows
	return rows
}

// saw takes one message of the server to d.
func (c *checker) saw(d *device, one shown) {
	v := d.rooms[one.Room]
	switch one.Type {
	case "joined":
		v.asked--
		c.joined(d, v, one)
	case "left":
		v.in = false
	case "message":
		c.message(d, v, one)
	case "ack":
		c.ack(d, one)
	case "presence":
		c.presence(d, v, one)
	case "history":
		v.asked--
		c.page(d, one)
	case "users":
		v.asked--
	case "typing":
		if !v.in {
			c.fail("%s: typing from outside of %s", d.name, one.Room)
		}
	case "error":
		c.refused++
		if one.ID == "" {
			v.asked--
		} else if s := d.find(one.Room, one.ID); s != nil {
			s.due = 0
		}
	}
	if v.asked == 0 {
		v.joins = nil
	}
	if v.asked < 0 && !c.lossy() { // else a joined comes that was not asked for
		c.fail("%s: an answer too many in %s: %v", d.name, one.Room, one)
	}
}

// page checks a row of messages against the journal.
func (c *checker) page(d *device, one shown) {
	if c.lossy() {
		return
	}
	rows := c.order(one.Room)
	for i, m := range one.Messages {
		if i > 0 && m.Seq != one.Messages[i-1].Seq+1 {
			c.fail("%s: %s of %s has %d after %d", d.name, one.Type, one.Room, m.Seq, one.Messages[i-1].Seq)
		}
		c.stands(d, one.Room, rows, m)
	}
}

// stands checks that m is in the journal where its seq says.
func (c *checker) stands(d *device, room string, rows []row, m shown) {
	if m.Seq == 0 || m.Seq > uint64(len(rows)) {
		c.fail("%s: saw %s %d, the journal ends at %d", d.name, room, m.Seq, len(rows))
		return
	}
	if r := rows[m.Seq-1]; r.id != m.ID || r.user != m.User || r.text != m.Text || r.milli != m.Time || r.pos.Seq != m.Seq {
		c.fail("%s: saw %v in %s, the journal has %v", d.name, m, room, r)
	}
}

func (m shown) key() key { return key{m.User, m.ID, m.Text} }

// joined checks the answer to a join.
func (c *checker) joined(d *device, v *view, one shown) {
	c.page(d, one)
	epoch := one.epoch()
	if want := d.node.runner.shard.epoch; epoch > want || c.sim.bus == nil && epoch != want {
		c.fail("%s: epoch %s of %s, want %d", d.name, one.Epoch, one.Room, want)
	}
	if v.in && v.cursor != nil && one.Seq != v.cursor.Seq && !c.lossy() {
		c.fail("%s: joined %s again at %d, having seen %d", d.name, one.Room, one.Seq, v.cursor.Seq)
	}
	if n := len(one.Messages); n > 0 && one.Messages[n-1].Seq != one.Seq {
		c.fail("%s: joined %s at %d with messages to %d", d.name, one.Room, one.Seq, one.Messages[n-1].Seq)
	}
	fits := func(cursor *place) bool { return c.fits(cursor, one) }
	if !c.lossy() && !slices.ContainsFunc(v.joins, fits) {
		c.fail("%s: %v fits none of %v", d.name, one, v.joins)
	}
	if one.Count != len(one.Users) {
		c.fail("%s: %d in %s, %d listed", d.name, one.Count, one.Room, len(one.Users))
	}
	v.people = make(map[string]string)
	for _, u := range one.Users {
		v.people[u.User] = u.Name
	}
	if !v.in && v.people[d.user] != d.line.client.Name {
		c.fail("%s: does not find itself in %s", d.name, one.Room)
	}
	v.in = true
	v.look(one)
	last := place{Pos: Pos{epoch, one.Seq}}
	switch n := len(one.Messages); {
	case n > 0:
		last.key = one.Messages[n-1].key()
	case v.cursor != nil:
		last.key = v.cursor.key
	}
	v.cursor = &last
}

// look takes what joined shows to what the device has.
func (v *view) look(one shown) {
	first := one.Seq + 1
	if len(one.Messages) > 0 {
		first = one.Messages[0].Seq
	}
	for len(v.seen) > 0 && v.seen[len(v.seen)-1].seq >= first {
		v.seen = v.seen[:len(v.seen)-1]
	}
	if !one.Complete || len(v.seen) > 0 && v.seen[len(v.seen)-1].seq != first-1 {
		v.seen = nil
	}
	v.resumed = len(v.seen) > 0
	for _, m := range one.Messages {
		v.seen = append(v.seen, sight{m.Seq, m.key()})
	}
}

// looked checks that a device has what history has, back to where it has anything. What
// was restored while it was away, from before where it went on, it may not have.
func (c *checker) looked(d *device, room string, rows []row) {
	seen := d.rooms[room].seen
	if len(seen) > len(rows) {
		c.fail("%s: has %d messages of %s, there are %d", d.name, len(seen), room, len(rows))
		return
	}
	at := len(rows) - 1
	for i := len(seen) - 1; i >= 0; at-- {
		r := row{}
		if at >= 0 {
			r = rows[at]
		}
		switch {
		case seen[i] == sight{r.pos.Seq, key{r.user, r.id, r.text}}:
			i--
		case at < 0 || !d.rooms[room].resumed || !c.lossy() || !c.sim.bus.restored[r.hash]:
			c.fail("%s: has %v of %s where %v is", d.name, seen[i], room, r)
			return
		}
	}
}

// fits tells whether one is the right answer to a join with this cursor.
func (c *checker) fits(cursor *place, one shown) bool {
	first := one.Seq + 1
	if len(one.Messages) > 0 {
		first = one.Messages[0].Seq
	}
	if cursor == nil {
		whole := first == 1
		return one.Complete == whole && (whole || len(one.Messages) == newestPage)
	}
	rows := c.order(one.Room)
	// Everybody who saw it saw the same: it stands where the device saw it.
	known := cursor.Seq == 0 || cursor.Seq <= min(one.Seq, uint64(len(rows))) && (key{
		rows[cursor.Seq-1].user, rows[cursor.Seq-1].id, rows[cursor.Seq-1].text,
	}) == cursor.key && rows[cursor.Seq-1].pos.Epoch <= cursor.Epoch
	if known && one.Seq-cursor.Seq <= resumePage {
		c.resumed++
		return one.Complete && first == cursor.Seq+1
	}
	return !one.Complete
}

// message checks a live message.
func (c *checker) message(d *device, v *view, one shown) {
	if !v.in {
		c.fail("%s: %v from outside", d.name, one)
		return
	}
	if one.Seq != v.cursor.Seq+1 {
		c.fail("%s: %s %d after %d", d.name, one.Room, one.Seq, v.cursor.Seq)
	}
	if !c.lossy() {
		c.stands(d, one.Room, c.order(one.Room), one)
	}
	v.seen = append(v.seen, sight{one.Seq, one.key()})
	v.cursor = &place{Pos{v.cursor.Epoch, one.Seq}, one.key()}
}

// ack checks that what is acked is durable, and always under the same seq.
func (c *checker) ack(d *device, one shown) {
	c.acks++
	if !slices.ContainsFunc(d.node.store.committed[one.Room], func(r row) bool {
		return r.user == d.user && r.id == one.ID && r.pos.Seq == one.Seq
	}) {
		c.fail("%s: %v, which is not committed", d.name, one)
	}
	name := one.Room + " " + d.user + " " + one.ID
	if seq, again := c.acked[name]; again && seq != one.Seq && !c.lossy() {
		c.fail("%s: %v, was acked as %d", d.name, one, seq)
	}
	c.acked[name] = one.Seq
	d.outbox = slices.DeleteFunc(d.outbox, func(s *said) bool { return s.room == one.Room && s.id == one.ID })
}

func (c *checker) presence(d *device, v *view, one shown) {
	if !v.in {
		c.fail("%s: %v from outside", d.name, one)
		return
	}
	for _, u := range one.Joined {
		v.people[u.User] = u.Name
	}
	for _, u := range one.Left {
		delete(v.people, u.User)
	}
	if len(v.people) != one.Count {
		c.fail("%s: %v, but %d are known", d.name, one, len(v.people))
	}
}

// inTime checks that nobody waits for longer than protocol.md says.
func (c *checker) inTime() {
	for _, d := range c.sim.devices {
		if d.line.dead {
			continue
		}
		for _, s := range d.outbox {
			if s.due != 0 && s.due < c.sim.now {
				c.fail("%s: %s was not answered in time", d.name, s.id)
				s.due = 0
			}
		}
		for _, room := range simRooms {
			if m := d.member(room); m != nil && m.State() == Pending && d.rooms[room].due < c.sim.now {
				c.fail("%s: the join of %s was not answered in time", d.name, room)
			}
		}
	}
}

// settled checks the shard when everything has come to rest.
func (c *checker) settled() {
	for _, n := range c.sim.nodes {
		s := n.runner.shard
		if n := s.held.Load() + s.open.Load() + s.unplaced.Load() + s.unacked.Load(); n != 0 || s.resends != 0 || s.opened != 0 || len(s.questions) != 0 {
			c.fail("at rest, but %d held, %d open (%d), %d unplaced, %d unacked, %d resends, %d questions", s.held.Load(),
				s.open.Load(), s.opened, s.unplaced.Load(), s.unacked.Load(), s.resends, len(s.questions))
		}
		if s.early != 0 || len(s.halves) != 0 || len(s.restores) != 0 || len(s.placing.asks) != 0 || len(s.placing.queue) != 0 {
			c.fail("at rest, but %d early, %v, %v, %v", s.early, s.halves, s.restores, s.placing)
		}
		members := 0
		for _, room := range simRooms {
			members += c.membership(n, room)
			c.journal(n, room)
		}
		if n := s.members.Load(); n != int64(members) {
			c.fail("%d members counted, %d are there", n, members)
		}
	}
}

// membership checks that a node and the devices agree on who is in a room, and returns
// how many are on that node.
func (c *checker) membership(n *node, room string) int {
	s, want := n.runner.shard, make(map[Outlet]bool)
	people := make(map[string]string)
	for _, d := range c.sim.devices {
		v := d.rooms[room]
		if v.asked != 0 && !c.lossy() {
			c.fail("%s: %d questions in %s were not answered", d.name, v.asked, room)
			v.asked = 0
		}
		if v.in {
			if d.node == n {
				want[d.line] = true
			}
			people[d.user] = d.line.client.Name
		}
	}
	r := s.rooms[room]
	if r == nil {
		if len(want) > 0 {
			c.fail("%s is forgotten with %d members", room, len(want))
		}
		return 0
	}
	if len(want) == 0 || len(r.outs) != len(want) || len(r.members) != len(want) {
		c.fail("%s has %d members, %d outlets, want %d", room, len(r.members), len(r.outs), len(want))
	}
	for i, m := range r.members {
		if !want[r.outs[i]] || m.client.Out != r.outs[i] || int(m.index) != i || m.room != r || m.waits != nil {
			c.fail("member %d of %s is wrong", i, room)
		}
	}
	here := make(map[string]string)
	for _, one := range r.people.sorted {
		here[one.ID] = one.Name
	}
	if !slices.Equal(slices.Sorted(maps.Keys(here)), slices.Sorted(maps.Keys(people))) || len(r.people.byID) != len(here) {
		c.fail("%s lists %v, want %v", room, here, people)
	}
	rows := n.rows(room)
	for _, d := range c.sim.devices {
		v := d.rooms[room]
		if v.in && d.node == n {
			c.looked(d, room, rows)
		}
		if v.in && d.node == n && !maps.Equal(v.people, here) {
			c.fail("%s: knows %v in %s, there are %v", d.name, v.people, room, here)
		}
	}
	return len(want)
}

// journal checks that a room's journal has no holes and nothing twice, and is the same
// as that of the bus.
func (c *checker) journal(n *node, room string) {
	ids := make(map[string]bool)
	epoch := uint64(0)
	rows := n.rows(room)
	want := c.order(room)
	if c.lossy() {
		// A message that was lost twice may have another place on each node.
		byID := func(r, o row) int { return cmp.Compare(r.id, o.id) }
		want = slices.SortedFunc(slices.Values(c.sim.nodes[0].rows(room)), byID)
		for i, r := range slices.SortedFunc(slices.Values(rows), byID) {
			if len(rows) != len(want) || r.id != want[i].id {
				c.fail("journal of %s: has %d messages, %s among them, want %d", room, len(rows), r.id, len(want))
				break
			}
		}
		want = rows
	}
	if len(rows) != len(want) {
		c.fail("journal of %s has %d messages, want %d", room, len(rows), len(want))
	} else {
		for i, r := range rows {
			if w := want[i]; r.pos != w.pos || r.user != w.user || r.id != w.id || r.text != w.text || r.milli != w.milli {
				c.fail("journal of %s: %v, want %v", room, r, w)
			}
		}
	}
	for i, r := range rows {
		name := r.user + " " + r.id
		if r.pos.Seq != uint64(i+1) && !c.lossy() || r.pos.Epoch < epoch || ids[name] {
			c.fail("journal of %s: %v at %d", room, r, i+1)
		}
		ids[name], epoch = true, r.pos.Epoch
	}
}

// ended checks that everything was acked in the end, and that nothing acked is lost.
func (c *checker) ended() {
	for _, d := range c.sim.devices {
		for _, s := range d.outbox {
			c.fail("%s: %s was never acked", d.name, s.id)
		}
	}
	for _, n := range c.sim.nodes {
		stored := make(map[string]uint64)
		for room, rows := range n.store.committed {
			for _, r := range rows {
				stored[room+" "+r.user+" "+r.id] = r.pos.Seq
			}
		}
		for name, seq := range c.acked {
			if stored[name] != seq && (stored[name] == 0 || !c.lossy()) {
				c.fail("%s was acked as %d and is stored as %d", name, seq, stored[name])
			}
		}
	}
}
