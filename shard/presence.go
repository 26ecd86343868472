package shard

import (
	"cmp"
	"nebula/frame"
	"slices"
	"time"
)

// Pace of presence, protocol.md section 5.
const (
	smallRoom  = 200                   // people up to which changes are told at once
	smallDelay = 50 * time.Millisecond // gathers what comes together
	largeDelay = time.Second           // between two deltas of a large room
	deltaNames = 100                   // in one delta of a large room
)

// person is one user of a room, however many connections it has.
type person struct {
	frame.User
	conns int
	gone  int64 // Unix ns when it counts as left; 0: it is here
}

// change is what is to be told of a user.
type change struct {
	user frame.User
	here bool
}

// people is who is in a room, and what was not told of it yet.
type people struct {
	byID    map[string]*person
	sorted  []*person // by name, then user
	leaving int       // persons with gone set
	changes []change  // oldest first, one a user
	since   int64     // Unix ns of the first of changes
	told    int64     // Unix ns of the last delta
}

func order(a, b *person) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
}

func (p *people) insert(one *person) {
	i, _ := slices.BinarySearchFunc(p.sorted, one, order)
	p.sorted = slices.Insert(p.sorted, i, one)
}

func (p *people) remove(one *person) {
	if i, ok := slices.BinarySearchFunc(p.sorted, one, order); ok {
		p.sorted = slices.Delete(p.sorted, i, i+1)
	}
}

// enter counts one more connection of the client's user.
func (p *people) enter(c *Client, now int64) {
	one := p.byID[c.User]
	if one == nil {
		one = &person{User: frame.User{ID: c.User, Name: c.Name}}
		p.byID[c.User] = one
		p.insert(one)
		p.change(one.User, true, now)
	}
	if one.gone != 0 {
		one.gone = 0
		p.leaving--
	}
	one.conns++
	if one.Name != c.Name {
		p.remove(one)
		one.Name = c.Name
		p.insert(one)
		p.change(one.User, true, now)
	}
}

// exit counts one connection less; with the last one the user leaves at the time
// given.
func (p *people) exit(user string, now, at int64) {
	one := p.byID[user]
	if one.conns--; one.conns > 0 {
		return
	}
	if at <= now {
		p.left(one, now)
		return
	}
	one.gone = at
	p.leaving++
}

func (p *people) left(one *person, now int64) {
	delete(p.byID, one.ID)
	p.remove(one)
	p.change(one.User, false, now)
}

// change notes what is to be told; coming and going cancel out.
func (p *people) change(u frame.User, here bool, now int64) {
	i := slices.IndexFunc(p.changes, func(c change) bool { return c.user.ID == u.ID })
	if i >= 0 {
		same := p.changes[i].here == here
		p.changes = slices.Delete(p.changes, i, i+1)
		if !same {
			return
		}
	}
	if len(p.changes) == 0 {
		p.since = now
	}
	p.changes = append(p.changes, change{u, here})
}

// list returns a page of the people, of at most about maxBytes.
func (p *people) list(offset, limit, maxBytes int) []frame.User {
	var out []frame.User
	for i := offset; i < len(p.sorted) && len(out) < limit; i++ {
		u := p.sorted[i].User
		if maxBytes -= len(u.ID) + 6*len(u.Name) + 24; maxBytes < 0 {
			break
		}
		out = append(out, u)
	}
	return out
}

// tendLeaving lets those go whose grace is over.
func (s *Shard) tendLeaving(r *room) int64 {
	next := never
	if r.people.leaving == 0 {
		return next
	}
	for _, one := range r.people.byID {
		switch {
		case one.gone == 0:
		case one.gone <= s.now:
			r.people.leaving--
			r.people.left(one, s.now)
		default:
			next = min(next, one.gone)
		}
	}
	return next
}

// tendPresence tells the room what changed, when it is time.
func (s *Shard) tendPresence(r *room) int64 {
	p := &r.people
	if len(p.changes) == 0 {
		return never
	}
	large := len(r.people.byID) > smallRoom
	due := p.since + int64(smallDelay)
	if large {
		due = max(due, p.told+int64(largeDelay))
	}
	if due > s.now {
		return due
	}
	n := min(len(p.changes), deltaNames)
	var joined, left []frame.User
	for _, c := range p.changes[:n] {
		if c.here {
			joined = append(joined, c.user)
		} else {
			left = append(left, c.user)
		}
	}
	p.changes = slices.Delete(p.changes, 0, n)
	p.told, p.since = s.now, s.now
	b := frame.Get(1024)
	b.B = frame.AppendPresence(b.B, r.name, len(p.byID), joined, left)
	s.gather(r, b, 0)
	if len(p.changes) > 0 {
		return s.now + int64(smallDelay)
	}
	return never
}
