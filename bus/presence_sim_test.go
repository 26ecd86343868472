package bus

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

// world is a bus without Redis, and nodes that have rosters and mirrors only. Whatever
// the bus may do to them, it does: calls whose outcome stays unknown and that are
// carried out late, notices lost and overtaken, members read late, data lost and rolled
// back, nodes that die and come again under their name.
type world struct {
	rng    *rand.Rand
	milli  int64
	hashes map[string]map[string]string // node -> its members on the bus
	backup map[string]map[string]string
	nodes  map[string]*simNode // those that live
	dead   map[string]bool     // names that are to be swept
}

type simNode struct {
	name    string
	truth   map[member]face
	roster  *roster
	mirror  *mirror
	told    audience
	inbox   []string
	known   map[string]bool // nodes, as leases tell
	late    []func()        // calls that the bus will carry out some time
	reading []reading
}

// reading is what was read and did not arrive yet.
type reading struct {
	node   string
	fields map[string]string
}

var simNames = []string{"a", "b", "c"}

func newWorld(seed uint64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0)), hashes: map[string]map[string]string{}, backup: map[string]map[string]string{},
		nodes: map[string]*simNode{}, dead: map[string]bool{},
	}
	for _, name := range simNames {
		w.start(name)
	}
	return w
}

func (w *world) start(name string) {
	n := &simNode{
		name: name, truth: map[member]face{}, roster: newRoster(name), mirror: newMirror(), known: map[string]bool{},
	}
	n.roster.version, n.roster.most = w.rng.Uint64(), 8
	w.nodes[name] = n
	delete(w.dead, name)
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// carryOut is whoScript.
func (w *world) carryOut(node string, a *amendment) (refused bool) {
	h := w.hashes[node]
	switch {
	case a.anew:
		h = map[string]string{}
	case h[""] == a.from:
	default:
		return h[""] != a.to
	}
	h[""] = a.to
	for i := 0; i < len(a.set); i += 2 {
		h[a.set[i]] = a.set[i+1]
	}
	for _, field := range a.drop {
		delete(h, field)
	}
	w.hashes[node] = h
	if a.notice != "" {
		w.publish(a.notice)
	}
	return false
}

func (w *world) publish(notice string) {
	for _, n := range w.nodes {
		if !w.chance(5) {
			n.inbox = append(n.inbox, notice)
		}
		if i := len(n.inbox) - 2; i >= 0 && w.chance(5) {
			n.inbox[i], n.inbox[i+1] = n.inbox[i+1], n.inbox[i]
		}
	}
}

func (w *world) pick() *simNode { return w.nodes[simNames[w.rng.IntN(len(simNames))]] }

// move has a user come, leave or change its name.
func (n *simNode) move(w *world) {
	w.milli++
	m := member{room: fmt.Sprint("room ", w.rng.IntN(3)), user: fmt.Sprint("user ", w.rng.IntN(20))}
	name, here := fmt.Sprint("name ", w.rng.IntN(3)), w.chance(60)
	n.roster.set(m, name, here, w.milli)
	switch was, there := n.truth[m]; {
	case !here:
		delete(n.truth, m)
	case !there || was.name != name:
		n.truth[m] = face{name: name, since: w.milli}
	}
}

// announce makes one call.
func (n *simNode) announce(w *world) {
	a := n.roster.next()
	if a == nil {
		return
	}
	switch {
	case w.chance(5): // never got there, and nobody knows
	case w.chance(5): // carried out, and nobody knows
		w.carryOut(n.name, a)
	case w.chance(5): // carried out later
		n.late = append(n.late, func() { w.carryOut(n.name, a) })
	case w.carryOut(n.name, a):
		n.roster.refused()
	default:
		n.roster.done()
	}
}

// hear takes notices.
func (n *simNode) hear(most int) {
	for ; most > 0 && len(n.inbox) > 0; most-- {
		var heard notice
		if err := heard.decode(n.inbox[0]); err != nil {
			panic(err)
		}
		n.inbox = n.inbox[1:]
		if heard.node != n.name {
			n.mirror.hear(&heard)
			n.mirror.tell(0, &n.told)
		}
	}
}

// compare asks for the versions of all that the node knows.
func (n *simNode) compare(w *world) {
	for name := range n.known {
		if v, ok := parseVersion(w.hashes[name][""]); ok {
			n.mirror.compare(name, v)
		}
	}
}

// read begins to read what the mirror wants; arrive ends it.
func (n *simNode) read(w *world) {
	for _, node := range n.mirror.toRead() {
		n.reading = append(n.reading, reading{node, maps.Clone(w.hashes[node])})
	}
}

func (n *simNode) arrive(fail bool) {
	for _, r := range n.reading {
		v, ok := parseVersion(r.fields[""])
		switch {
		case fail:
			n.mirror.unread(r.node, true)
		case !ok:
			n.mirror.unread(r.node, false)
		default:
			n.mirror.read(r.node, v, parseFaces(r.fields))
		}
		n.mirror.tell(0, &n.told)
	}
	n.reading = nil
}

// look makes the node know who lives.
func (n *simNode) look(w *world) {
	for _, name := range simNames {
		if lives := w.nodes[name] != nil && name != n.name; lives != n.known[name] {
			if lives {
				n.known[name] = true
				n.mirror.join(name)
			} else {
				delete(n.known, name)
				n.mirror.leave(name)
				n.mirror.tell(0, &n.told)
			}
		}
	}
	for name := range w.dead {
		delete(w.hashes, name)
		delete(w.dead, name)
	}
}

// fault is what happens seldom.
func (w *world) fault() {
	switch w.rng.IntN(6) {
	case 0:
		w.hashes = map[string]map[string]string{}
	case 1, 2:
		if w.hashes = map[string]map[string]string{}; w.backup != nil {
			w.restore(w.backup)
		}
	case 3: // SIGKILL, and perhaps back at once
		name := simNames[w.rng.IntN(len(simNames))]
		delete(w.nodes, name)
		w.dead[name] = true
	case 4: // an orderly end
		name := simNames[w.rng.IntN(len(simNames))]
		if n := w.nodes[name]; n != nil {
			a, b, gone := n.roster.resign()
			if have := w.hashes[name][""]; have == a || have == b {
				delete(w.hashes, name)
				w.publish(gone)
			}
			delete(w.nodes, name)
		}
	case 5:
		w.backup = map[string]map[string]string{}
		for name, h := range w.hashes {
			w.backup[name] = maps.Clone(h)
		}
	}
}

func (w *world) restore(backup map[string]map[string]string) {
	for name, h := range backup {
		w.hashes[name] = maps.Clone(h)
	}
}

func (w *world) step() {
	if w.chance(1) {
		w.fault()
	}
	n := w.pick()
	if n == nil {
		if w.chance(20) {
			w.start(simNames[w.rng.IntN(len(simNames))]) // of a name that is taken: the other is refused
		}
		return
	}
	switch w.rng.IntN(10) {
	case 0, 1:
		for range w.rng.IntN(20) {
			n.move(w)
		}
	case 2, 3:
		n.announce(w)
	case 4:
		n.hear(w.rng.IntN(20))
	case 5:
		n.compare(w)
	case 6:
		n.read(w)
	case 7:
		n.arrive(w.chance(20))
	case 8:
		n.look(w)
	case 9:
		if n.roster.check(w.hashes[n.name][""]); len(n.late) > 0 {
			n.late[0]()
			n.late = n.late[1:]
		}
	}
}

// settle lets everything take its course, without faults.
func (w *world) settle() {
	for _, name := range simNames {
		if w.nodes[name] == nil {
			delete(w.hashes, name)
		}
	}
	for range 5 {
		for _, name := range simNames {
			n := w.nodes[name]
			if n == nil {
				continue
			}
			for _, call := range n.late {
				call()
			}
			n.late = nil
			n.look(w)
			n.roster.check(w.hashes[name][""])
			for a := n.roster.next(); a != nil; a = n.roster.next() {
				if w.carryOut(name, a) {
					n.roster.refused()
				} else {
					n.roster.done()
				}
			}
		}
		for _, n := range w.nodes {
			n.hear(len(n.inbox))
			n.compare(w)
			n.compare(w)
			n.read(w)
			n.arrive(false)
		}
	}
}

// wants returns what a node is to know of the others.
func (w *world) wants(of string) map[member]string {
	newest := map[member]face{}
	for name, n := range w.nodes {
		for m, f := range n.truth {
			if was, there := newest[m]; name != of && (!there || f.newer(was)) {
				newest[m] = f
			}
		}
	}
	want := map[member]string{}
	for m, f := range newest {
		want[m] = f.name
	}
	return want
}

// However the bus treats the nodes, once it treats them well all know the truth, and
// have told it.
func TestPresence_Simulation(t *testing.T) {
	members := 0
	for seed := range uint64(100) {
		w := newWorld(seed)
		for range 1000 {
			w.step()
		}
		w.settle()
		for name, n := range w.nodes {
			want := w.wants(name)
			members += len(want)
			got := map[member]string{}
			for room := range 3 {
				for _, p := range n.mirror.elsewhere(fmt.Sprint("room ", room)) {
					got[member{fmt.Sprint("room ", room), p.User}] = p.Name
				}
			}
			if !maps.Equal(got, want) {
				t.Errorf("seed %d: node %s knows %d members elsewhere, want %d (or other names)", seed, name, len(got), len(want))
			}
			if len(n.told.here)+len(want) > 0 && !maps.Equal(n.told.here, want) {
				t.Errorf("seed %d: node %s was told of %d members elsewhere, want %d (or other names)", seed, name, len(n.told.here), len(want))
			}
			if n.roster.next() != nil || len(n.roster.members) != len(n.truth) || len(n.roster.unsaid) > 0 {
				t.Errorf("seed %d: node %s has %d members of %d, %d unsaid", seed, name, len(n.roster.members), len(n.truth), len(n.roster.unsaid))
			}
		}
	}
	if members < 1000 {
		t.Errorf("the simulation came to %d members only", members)
	}
}

// What comes and goes while the bus is down leaves nothing behind.
func TestRoster_IsBoundedByItsMembers(t *testing.T) {
	r := newRoster("a")
	for range 2 { // before and after the first version is on the bus
		for i := range 1000 {
			m := member{"r", fmt.Sprint(i)}
			r.set(m, "n", true, 1)
			r.set(m, "m", true, 2)
			r.set(m, "m", false, 3)
		}
		if len(r.members) > 0 || len(r.unsaid) > 0 {
			t.Fatalf("got %d members and %d unsaid, want none", len(r.members), len(r.unsaid))
		}
		r.next()
		r.done()
	}
}

func TestRoster_SaysOnlyWhatIsNew(t *testing.T) {
	r := newRoster("a")
	r.next()
	r.done()
	m := member{"r", "u"}
	for i, c := range []struct {
		name string
		here bool
		want bool
	}{{"n", false, false}, {"n", true, true}, {"n", true, false}, {"m", true, true}, {"m", false, false}} {
		if got := r.set(m, c.name, c.here, int64(i)); got != c.want {
			t.Errorf("change %d: got %v, want %v", i, got, c.want)
		}
	}
}
