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
	deltaNames = 100                   // in one delta
	deltaBurst = 4                     // deltas at once in a small room
	typingMost = 10                    // notices of typing a second in a large room
)

// person is one user of a room, however many connections it has.
type person struct {
	frame.User
	gone   int64  // Unix ns when it counts as left; 0: it has a connection, or left
	typed  int64  // Unix ns of the last typing that was passed on
	told   string // the name by which the room knows it; "": it does not
	asOf   uint64 // people.lists at its last change
	conns  int32  // on this node
	near   bool   // has a connection on this node, or had one within the grace
	far    bool   // is on another node
	queued bool   // in people.changes; if not, told is the truth
	shown  bool   // a list was given that is out of date by now
}

// here tells whether it counts as in the room.
func (p *person) here() bool { return p.near || p.far }

// departure is a person whose grace ends at a time, unless it came back.
type departure struct {
	who *person
	at  int64 // Unix ns; who.gone, if it still holds
}

// people is who is in a room, and what was not told of it yet.
type people struct {
	byID    map[string]*person // those who are here, and those whose leaving was not told
	sorted  []*person          // those who are here, by name, then user
	leaving []departure        // by time
	changes []*person          // oldest first, each once
	since   int64              // Unix ns of the first of changes
	told    int64              // Unix ns of the last delta
	lists   uint64             // how many lists were given out
	typing  int                // notices since typed
	typed   int64              // Unix ns
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

// enter counts one more connection of the client's user. news: other nodes do not know
// of it, or not by that name.
func (p *people) enter(c *Client, now int64) (news bool) {
	one := p.person(c.User, c.Name)
	one.conns++
	one.gone = 0
	was, news := one.here(), !one.near || one.Name != c.Name
	one.near = true
	p.enlist(one, was, c.Name, now)
	return news
}

// person returns the user's entry, made if there was none.
func (p *people) person(user, name string) *person {
	one := p.byID[user]
	if one == nil {
		one = &person{User: frame.User{ID: user, Name: name}}
		p.byID[user] = one
	}
	return one
}

// enlist puts one, who is here, in the list by its newest name; was: it is there.
func (p *people) enlist(one *person, was bool, name string, now int64) {
	if was {
		if one.Name == name {
			return
		}
		p.remove(one)
		one.shown = one.queued // to the connection that came with the other name
	}
	one.Name = name
	p.insert(one)
	p.change(one, now)
}

// exit counts one connection less; with the last one the user leaves at the time
// given. It returns who left this node by that.
func (p *people) exit(user string, now, at int64) *person {
	one := p.byID[user]
	if one.conns--; one.conns > 0 {
		return nil
	}
	if at <= now {
		p.left(one, now)
		return one
	}
	one.gone = at
	p.leaving = append(p.leaving, departure{one, at})
	return nil
}

// left ends one's stay on this node.
func (p *people) left(one *person, now int64) {
	one.near, one.gone = false, 0
	if !one.far {
		p.remove(one)
		p.change(one, now)
	}
}

// change notes that there may be something to tell of one; whether there is shows
// when it is told.
func (p *people) change(one *person, now int64) {
	if one.queued {
		one.shown = one.shown || one.asOf != p.lists
		one.asOf = p.lists
		return
	}
	one.queued, one.asOf = true, p.lists
	if len(p.changes) == 0 {
		p.since = now
	}
	p.changes = append(p.changes, one)
}

// shownTo says that the last list went to a connection of user's own. If the user
// leaves before the room was told of it, that connection is no more, and nobody
// needs to hear of either.
func (p *people) shownTo(user string) {
	if one := p.byID[user]; one.queued && one.asOf == p.lists-1 {
		one.asOf = p.lists
	}
}

// settle takes one off the queue and tells whether the room is to hear of it:
// opposite changes cancel out, unless somebody was given a list between them.
func (p *people) settle(one *person) (tell bool) {
	now := ""
	if one.here() {
		now = one.Name
	} else {
		delete(p.byID, one.ID)
	}
	tell = one.told != now || one.shown
	one.told, one.queued, one.shown = now, false, false
	return tell
}

// delta takes changes off the queue: who is to be told as joined and as left.
func (p *people) delta() (joined, left []frame.User) {
	n := 0
	for ; n < len(p.changes) && len(joined)+len(left) < deltaNames; n++ {
		one := p.changes[n]
		switch {
		case !p.settle(one):
		case one.here():
			joined = append(joined, one.User)
		default:
			left = append(left, one.User)
		}
	}
	p.changes = drop(p.changes, n)
	return joined, left
}

// list returns a page of the people, of at most about maxBytes.
func (p *people) list(offset, limit, maxBytes int) []frame.User {
	p.lists++
	out := make([]frame.User, 0, max(min(limit, len(p.sorted)-offset), 0))
	for i := offset; i < len(p.sorted) && len(out) < limit; i++ {
		u := p.sorted[i].User
		if maxBytes -= userBytes(u); maxBytes < 0 {
			break
		}
		out = append(out, u)
	}
	return out
}

// userBytes is the most that u takes in a list.
func userBytes(u frame.User) int { return len(u.ID) + 6*len(u.Name) + 24 }

func usersBytes(list []frame.User) (n int) {
	for _, u := range list {
		n += userBytes(u)
	}
	return n
}

// tendLeaving lets those go whose grace is over.
func (s *Shard) tendLeaving(r *room) int64 {
	p := &r.people
	n := 0
	for ; n < len(p.leaving); n++ {
		d := p.leaving[n]
		stale := d.who.gone != d.at
		if !stale && d.at > s.now {
			break
		}
		if !stale {
			p.left(d.who, s.now)
			s.tellLeft(r, d.who)
		}
	}
	if p.leaving = drop(p.leaving, n); p.leaving == nil {
		return never
	}
	return p.leaving[0].at
}

// tendPresence tells the room what changed, when it is time.
func (s *Shard) tendPresence(r *room) int64 {
	p := &r.people
	if len(p.changes) == 0 {
		return never
	}
	if len(r.members) == 0 { // nobody is there to be told
		for _, one := range p.changes {
			p.settle(one)
		}
		p.changes = nil
		return never
	}
	due, burst, delay := p.since+int64(smallDelay), deltaBurst, smallDelay
	if len(p.sorted) > smallRoom {
		due, burst, delay = max(due, p.told+int64(largeDelay)), 1, largeDelay
	}
	if due > s.now {
		return due
	}
	for ; burst > 0 && len(p.changes) > 0; burst-- {
		if joined, left := p.delta(); len(joined)+len(left) > 0 {
			b := frame.Get(usersBytes(joined) + usersBytes(left) + envelopeBytes)
			b.B = frame.AppendPresence(b.B, r.name, len(p.sorted), joined, left)
			s.gather(r, b, 0)
			p.told = s.now
		}
	}
	if len(p.changes) == 0 {
		return never
	}
	p.since = s.now
	return s.now + int64(delay)
}
