package bus

import (
	"strings"
	"sync"
)

// Person is a user in a room on another node.
type Person struct{ User, Name string }

// mirror is who is in a partition's rooms on other nodes: a replica of each node's
// members, kept by that node's notices and read anew when one was missed. It has no
// goroutine.
//
// Whoever changes it calls tell next. Rooms is told outside of mu, since a room that is
// made meanwhile asks elsewhere; and by one goroutine at a time, what holds at that
// time, so that what was told last is what holds.
type mirror struct {
	mu       sync.Mutex
	replicas map[string]*replica // by node
	changed  []member            // untold
	telling  bool
}

// replica is one node's members, of one version.
type replica struct {
	version uint64
	known   bool                       // it was read
	wanted  bool                       // it must be read
	reading bool                       // it is being read: faces stays as it is, notices are held
	held    []notice                   // that came meanwhile
	behind  bool                       // at the last comparison, and has not moved since
	faces   map[string]map[string]face // room -> user
}

const (
	heldMost   = 64      // notices held for a replica that is being read; past it, it is read again
	tellMost   = 256     // changes told at once
	lineageMax = 1 << 32 // versions that lie further apart are of two processes
)

func newMirror() *mirror { return &mirror{replicas: map[string]*replica{}} }

// join adds a node, whose members are to be read.
func (m *mirror) join(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.replicas[node] == nil {
		m.replicas[node] = &replica{wanted: true}
	}
}

// leave removes a node and its members.
func (m *mirror) leave(node string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.replicas[node]; c != nil {
		delete(m.replicas, node)
		m.touch(c.faces)
	}
}

// touch notes that all of faces may have changed; m.mu must be held.
func (m *mirror) touch(faces map[string]map[string]face) {
	for room, users := range faces {
		for user := range users {
			m.changed = append(m.changed, member{room, user})
		}
	}
}

// hear takes a notice. stranger: the node is not known; wanted: a replica must be read.
func (m *mirror) hear(n *notice) (stranger, wanted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.replicas[n.node]
	switch {
	case c == nil:
		return true, false
	case !c.reading:
		m.apply(c, n)
		return false, c.wanted
	case len(c.held) < heldMost:
		c.held = append(c.held, *n)
	default:
		c.wanted = true
	}
	return false, false
}

// apply makes of c what n says, if that follows on what c is; m.mu must be held.
// Whatever came before a replica is read, is in what is read.
func (m *mirror) apply(c *replica, n *notice) {
	// Of another process either is any number.
	ahead, past := n.version-c.version, c.version-n.version
	switch {
	case n.what == noticeGone:
		if c.known && ahead < lineageMax {
			m.touch(c.faces)
			c.faces, c.version = nil, n.version
		}
	case !c.known:
		c.wanted = true
	case past < lineageMax: // known already
	case ahead == 1 && n.what == noticeDelta:
		for i := range n.changes {
			m.change(c, &n.changes[i])
		}
		c.version, c.behind = n.version, false
	default:
		c.wanted = true
	}
}

// change makes one change; m.mu must be held.
func (m *mirror) change(c *replica, ch *change) {
	users := c.faces[ch.room]
	if !ch.here {
		if _, there := users[ch.user]; !there {
			return
		}
		delete(users, ch.user)
		if len(users) == 0 {
			delete(c.faces, ch.room)
		}
		m.changed = append(m.changed, member{strings.Clone(ch.room), strings.Clone(ch.user)})
		return
	}
	room, user := strings.Clone(ch.room), strings.Clone(ch.user)
	if users == nil {
		users = map[string]face{}
		if c.faces == nil {
			c.faces = map[string]map[string]face{}
		}
		c.faces[room] = users
	}
	users[user] = face{name: strings.Clone(ch.face.name), since: ch.face.since}
	m.changed = append(m.changed, member{room, user})
}

// compare tells which version the bus has of a node's members; true: they must be
// read. A notice may still be on its way, so a replica counts as behind only if it has
// not moved since the comparison before.
func (m *mirror) compare(node string, version uint64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.replicas[node]
	if c == nil || c.reading {
		return false
	}
	near := version-c.version < lineageMax || c.version-version < lineageMax
	switch {
	case c.wanted:
	case c.known && version == c.version:
		c.behind = false
	case c.known && near && !c.behind:
		c.behind = true
	default:
		c.wanted, c.behind = true, false
	}
	return c.wanted
}

// toRead returns the nodes whose members must be read. Each is being read from then on,
// until read or unread.
func (m *mirror) toRead() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var nodes []string
	for node, c := range m.replicas {
		if c.wanted && !c.reading {
			c.wanted, c.reading = false, true
			nodes = append(nodes, node)
		}
	}
	return nodes
}

// unread says that a node's members could not be read; again: they still must be.
func (m *mirror) unread(node string, again bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.replicas[node]; c != nil && c.reading {
		m.finish(c)
		c.wanted = c.wanted || again
	}
}

// read says that a node's members were read, with their version.
func (m *mirror) read(node string, version uint64, faces map[string]map[string]face) {
	m.mu.Lock()
	c := m.replicas[node]
	if c == nil || !c.reading {
		m.mu.Unlock()
		return
	}
	old := c.faces
	m.mu.Unlock()

	// Nobody changes either now, and 20,000 members take milliseconds.
	changed := differences(nil, old, faces, true)
	changed = differences(changed, faces, old, false)

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.replicas[node] != c {
		return // it left; its members were told to be gone
	}
	c.faces, c.version, c.known = faces, version, true
	m.changed = append(m.changed, changed...)
	m.finish(c)
}

// finish ends the reading of c and applies what was held; m.mu must be held.
func (m *mirror) finish(c *replica) {
	c.reading = false
	held := c.held
	c.held = nil
	for i := range held {
		m.apply(c, &held[i])
	}
}

// differences adds to changed the members of a that b has not; all: nor has the same.
func differences(changed []member, a, b map[string]map[string]face, all bool) []member {
	for room, users := range a {
		others := b[room]
		for user, f := range users {
			if other, there := others[user]; !there || all && other != f {
				changed = append(changed, member{room, user})
			}
		}
	}
	return changed
}

// face returns how a user is shown who is in a room on other nodes; m.mu must be held.
func (m *mirror) face(who member) (newest face, here bool) {
	for _, c := range m.replicas {
		if f, there := c.faces[who.room][who.user]; there && (!here || f.newer(newest)) {
			newest, here = f, true
		}
	}
	return newest, here
}

// newer decides between two nodes' faces of a user, the same way on every node.
func (f face) newer(than face) bool {
	return f.since > than.since || f.since == than.since && f.name > than.name
}

// elsewhere returns who is in a room on other nodes.
func (m *mirror) elsewhere(room string) []Person {
	m.mu.Lock()
	defer m.mu.Unlock()
	newest := map[string]face{}
	for _, c := range m.replicas {
		for user, f := range c.faces[room] {
			if other, there := newest[user]; !there || f.newer(other) {
				newest[user] = f
			}
		}
	}
	people := make([]Person, 0, len(newest))
	for user, f := range newest {
		people = append(people, Person{User: user, Name: f.name})
	}
	return people
}

// tell tells rooms what changed.
func (m *mirror) tell(partition int, rooms Rooms) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.telling {
		return // who tells will tell this too
	}
	m.telling = true
	defer func() { m.telling = false }()
	for len(m.changed) > 0 {
		n := min(tellMost, len(m.changed))
		told := make([]Change, n)
		for i, who := range m.changed[:n] {
			f, here := m.face(who)
			told[i] = Change{Room: who.room, User: who.user, Name: f.name, Here: here}
		}
		if m.changed = m.changed[n:]; len(m.changed) == 0 {
			m.changed = nil
		}
		m.mu.Unlock()
		rooms.Presence(partition, told)
		m.mu.Lock()
	}
}
