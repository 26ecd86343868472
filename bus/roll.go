package bus

import (
	"strings"
	"time"
)

// Peer is another node.
type Peer struct {
	Name  string
	Admin string // address that it advertises
}

// lease is one node's, as it stands on the bus.
type lease struct{ node, value string }

// roll is the other nodes, as their leases were seen to move. Clocks of two nodes are
// never compared: a lease is as old as the time for which this node saw it stand
// still, and time in which it could not look does not count.
type roll struct {
	// Static after construction.
	dead time.Duration
	most time.Duration // that one look adds to an age

	first, last time.Time // looks
	nodes       map[string]*tenant
}

// tenant is a node that has, or had, a lease.
type tenant struct {
	lease string
	still time.Duration
	dead  bool // until its lease moves
}

func newRoll(p pace) roll {
	return roll{dead: p.dead, most: 2 * p.beat, nodes: map[string]*tenant{}}
}

// look compares leases with those of the last look. intact: the bus lost nothing since,
// so that a node without a lease has left. It returns who came, who went, and what of
// the dead must be removed.
func (r *roll) look(at time.Time, leases map[string]string, intact bool) (came, went []string, sweep []lease) {
	passed := min(at.Sub(r.last), r.most)
	r.last = at
	if r.first.IsZero() {
		r.first = at
	}
	for node, value := range leases {
		t := r.nodes[node]
		switch {
		case t == nil:
			r.nodes[node] = &tenant{lease: value}
			came = append(came, node)
		case t.lease != value:
			if t.dead {
				came = append(came, node)
			}
			*t = tenant{lease: value}
		case t.dead:
			sweep = append(sweep, lease{node, value})
		case t.age(passed, r.dead):
			went = append(went, node)
			sweep = append(sweep, lease{node, value})
		}
	}
	for node, t := range r.nodes {
		if _, there := leases[node]; there {
			continue
		}
		switch {
		case t.dead: // and swept
			delete(r.nodes, node)
		case intact:
			delete(r.nodes, node)
			went = append(went, node)
		case t.age(passed, r.dead):
			delete(r.nodes, node)
			went = append(went, node)
			sweep = append(sweep, lease{node, t.lease})
		}
	}
	return came, went, sweep
}

// age adds to how long t stood still; true: it is dead now.
func (t *tenant) age(passed, dead time.Duration) bool {
	t.still += passed
	t.dead = t.still >= dead
	return t.dead
}

func (r *roll) live() (n int) {
	for _, t := range r.nodes {
		if !t.dead {
			n++
		}
	}
	return n
}

func (r *roll) peers() []Peer {
	peers := make([]Peer, 0, len(r.nodes))
	for node, t := range r.nodes {
		if !t.dead {
			_, rest, _ := strings.Cut(t.lease, " ")
			_, admin, _ := strings.Cut(rest, " ")
			peers = append(peers, Peer{Name: node, Admin: admin})
		}
	}
	return peers
}
