package bus

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
)

// roster is this node's members of a partition, and what of them the bus was not told
// yet. It has no goroutine: Redis.Presence fills it, announce empties it by next and
// done. It holds a member once, however often that comes and goes while the bus is
// down.
type roster struct {
	// Static after construction.
	node string
	most int // members in one amendment

	// Guarded by mu.
	mu      sync.Mutex
	members map[member]standing
	unsaid  map[member]struct{} // where members differs from the hash
	version uint64              // of the hash once pending is carried out; any start, then one more each time
	lost    bool                // the hash is not ours: write it anew
	rest    []member            // that are still to be written anew
	marker  string              // in the version's place until all are, each time another; "": not writing anew
	pending *amendment          // under way, or its outcome unknown
}

// member is a user in a room.
type member struct{ room, user string }

// field returns m's in the hash.
func (m member) field() string { return m.room + "\x00" + m.user }

// standing is what is known of a member.
type standing struct {
	face
	here   bool
	stored bool // the hash has it, once pending is carried out
}

// amendment is one call of whoScript. Carrying it out again changes nothing, so one
// whose outcome is unknown is tried until it is known.
type amendment struct {
	from, to string // versions of the hash before and after it
	anew     bool   // whatever is there is removed first
	notice   string // to publish; "": none
	set      []string
	drop     []string
}

const amendMost = 256 // members: about 1 ms of Redis

func newRoster(node string) *roster {
	return &roster{
		node: node, most: amendMost, members: map[member]standing{}, unsaid: map[member]struct{}{},
		version: rand.Uint64(), // two processes of one name never take the other's versions for their own
		lost:    true,          // what another process of this name left goes away, and everybody's hash exists
	}
}

// set notes that m is here, or is not, at milli (Unix ms); true: there is something to
// say.
func (r *roster) set(m member, name string, here bool, milli int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.members[m]
	if s.here == here && (!here || s.name == name) {
		return false
	}
	s.here = here
	if here {
		s.face = face{name: name, since: milli}
	}
	if !s.here && !s.stored { // came and went unsaid
		delete(r.members, m)
		delete(r.unsaid, m)
		return false
	}
	r.members[m] = s
	r.unsaid[m] = struct{}{}
	return true
}

// next returns what is to be carried out, nil if nothing is. It stays the same until
// done or refused.
func (r *roster) next() *amendment {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.pending != nil:
	case r.lost:
		r.begin()
		r.pending = r.part(true)
	case r.marker != "":
		r.pending = r.part(false)
	case len(r.unsaid) > 0:
		r.pending = r.delta()
	}
	return r.pending
}

// done says that what next returned was carried out; true: there is more that need not
// wait for company.
func (r *roster) done() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending = nil
	return r.lost || r.marker != "" || len(r.unsaid) >= r.most
}

// refused says that it was not, and cannot be: the hash is of another version.
func (r *roster) refused() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pending, r.lost = nil, true
}

// check compares with the version that the bus has, "" for none; false: it is not this
// one's, and all will be written anew.
func (r *roster) check(have string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pending != nil || r.marker != "" || r.lost || have == versionField(r.version) {
		return true
	}
	r.lost = true
	return false
}

// resign returns the two versions that the hash may have, if it is ours, and the
// notice that the node is gone.
func (r *roster) resign() (a, b, gone string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone = string(appendPresence(nil, &notice{node: r.node, what: noticeGone, version: r.version}))
	switch {
	case r.pending != nil:
		return r.pending.from, r.pending.to, gone
	case r.marker != "":
		return r.marker, r.marker, gone
	}
	return versionField(r.version), versionField(r.version), gone
}

// begin starts to write all anew; r.mu must be held.
func (r *roster) begin() {
	r.lost = false
	clear(r.unsaid)
	r.rest = make([]member, 0, len(r.members))
	for m, s := range r.members {
		if !s.here {
			delete(r.members, m)
			continue
		}
		s.stored = false
		r.members[m] = s
		r.rest = append(r.rest, m)
	}
	r.mark()
}

// mark makes another marker: were it the same for all parts, a bus that is rolled back
// between two would miss one for good. r.mu must be held.
func (r *roster) mark() {
	r.version++
	r.marker = "~" + versionField(r.version)
}

// part returns the next part of what is written anew; r.mu must be held. Who comes
// meanwhile is said afterwards.
func (r *roster) part(first bool) *amendment {
	a := &amendment{from: r.marker, anew: first}
	n := min(r.most, len(r.rest))
	for _, m := range r.rest[:n] {
		if r.members[m].here {
			r.write(a, m)
		}
	}
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.rest, r.marker = nil, ""
		a.to = versionField(r.version)
		a.notice = string(appendPresence(nil, &notice{node: r.node, what: noticeWhole, version: r.version}))
	} else {
		r.mark()
		a.to = r.marker
	}
	return a
}

// delta returns what is unsaid, or as much as one call may bring; r.mu must be held.
func (r *roster) delta() *amendment {
	a := &amendment{from: versionField(r.version)}
	r.version++
	a.to = versionField(r.version)
	n := notice{node: r.node, what: noticeDelta, version: r.version}
	for m := range r.unsaid {
		n.changes = append(n.changes, r.write(a, m))
		if len(n.changes) == r.most {
			break
		}
	}
	if len(r.unsaid) == 0 {
		r.unsaid = map[member]struct{}{} // a map does not shrink
	}
	a.notice = string(appendPresence(nil, &n))
	return a
}

// write adds m to a as it is now; r.mu must be held.
func (r *roster) write(a *amendment, m member) change {
	s := r.members[m]
	delete(r.unsaid, m)
	if s.here {
		s.stored = true
		r.members[m] = s
		a.set = append(a.set, m.field(), string(appendFace(nil, s.face)))
	} else {
		delete(r.members, m)
		a.drop = append(a.drop, m.field())
	}
	return change{room: m.room, user: m.user, face: s.face, here: s.here}
}

// versionField returns a version as it stands in a hash. A hash that is being written
// anew has something longer there.
func versionField(v uint64) string { return string(binary.BigEndian.AppendUint64(nil, v)) }

// parseVersion returns the version that versionField wrote; false: it is none.
func parseVersion(s string) (uint64, bool) {
	r := reader{rest: s}
	v := r.uint64()
	return v, !r.bad && r.rest == ""
}
