package shard

import (
	"fmt"
	"nebula/frame"
	"slices"
)

// device is a client program of the simulation: it has one connection at a time,
// keeps what it said until that is acked, and resumes where it was.
type device struct {
	sim    *sim
	node   *node // that its connection is to
	user   string
	name   string
	line   *line
	rooms  map[string]*view
	outbox []*said
	count  int // of ids
}

// line is one connection.
type line struct {
	screen
	sim     *sim
	client  Client
	dead    bool // takes nothing any more
	members map[string]*Member
}

// said is a message that was not acked yet.
type said struct {
	room, id, text string
	due            int64 // Unix ns until which it must be answered; 0: it waits for nothing
}

// key is what one message is known by.
type key struct{ user, id, text string }

// place is a message and where it stands.
type place struct {
	Pos
	key key
}

// sight is a message that was seen, under its seq.
type sight struct {
	seq uint64
	key key
}

// view is what a device knows of a room.
type view struct {
	in      bool
	cursor  *place            // the last message seen; nil: it knows nothing
	people  map[string]string // names by user
	seen    []sight           // from a place on all up to the cursor
	resumed bool              // it went on with seen
	joins   []*place          // cursors of joins that may not be answered yet
	asked   int               // answers that it waits for
	due     int64             // Unix ns until which its join must be answered
}

func newDevice(s *sim, user, name string) *device {
	d := &device{sim: s, user: user, name: name, rooms: make(map[string]*view)}
	for _, room := range simRooms {
		d.rooms[room] = &view{}
	}
	d.connect()
	return d
}

// Send is Outlet's.
func (l *line) Send(p Payload) bool {
	switch {
	case l.dead:
		return false
	case l.sim.lie == outletDrops && l.sim.chance(30):
		return true
	case l.sim.lie == outletDoubles && l.sim.chance(30):
		l.screen.Send(p)
	}
	return l.screen.Send(p)
}

// connect makes a new connection, under one of two names.
func (d *device) connect() {
	if d.line != nil {
		d.line.dead = true
	}
	d.node = d.sim.nodes[d.sim.rnd.IntN(len(d.sim.nodes))]
	d.line = &line{sim: d.sim, members: make(map[string]*Member)}
	d.line.client = Client{User: d.user, Name: fmt.Sprintf("%s-%d", d.user, d.sim.rnd.IntN(2)), Out: d.line}
	for _, v := range d.rooms {
		*v = view{cursor: v.cursor, seen: v.seen, resumed: v.resumed}
	}
	for _, one := range d.outbox {
		one.due = 0
	}
}

// end ends the connection and makes a new one.
func (d *device) end() {
	for _, room := range simRooms {
		if m := d.member(room); m != nil && d.sim.lie != goneIsLost {
			d.node.runner.post(&Command{Kind: Gone, Member: m})
		}
	}
	d.connect()
}

// member is what the gateway keeps of a room; nil: not in.
func (d *device) member(room string) *Member {
	if m := d.line.members[room]; m != nil && m.State() != Out {
		return m
	}
	return nil
}

func (d *device) join(room string) {
	m, v := d.member(room), d.rooms[room]
	if m != nil && m.State() == Pending {
		return // the gateway refuses it
	}
	if m == nil {
		m = NewMember(&d.line.client, room)
		d.line.members[room] = m
		v.due = d.sim.now + answerWithin
	}
	cmd := Command{Kind: Join, Member: m}
	var cursor *place
	if v.cursor != nil && !d.sim.chance(4) {
		cursor = v.cursor
		cmd.HasPos, cmd.Epoch, cmd.After = true, cursor.Epoch, cursor.Seq
	}
	v.joins = append(v.joins, cursor)
	v.asked++
	d.node.runner.post(&cmd)
}

func (d *device) leave(room string) {
	if m := d.member(room); m != nil {
		delete(d.line.members, room)
		d.node.runner.post(&Command{Kind: Leave, Member: m})
	}
}

func (d *device) say(room string) {
	d.count++
	one := &said{room: room, id: fmt.Sprintf("%s-%d", d.name, d.count), text: fmt.Sprint("text ", d.count)}
	if d.send(one) {
		d.outbox = append(d.outbox, one)
	}
}

func (d *device) resend() {
	if len(d.outbox) > 0 {
		d.send(d.outbox[d.sim.rnd.IntN(len(d.outbox))])
	}
}

// send posts one message; false: the gateway or a full mailbox refused it.
func (d *device) send(one *said) bool {
	m := d.member(one.room)
	if m == nil {
		return false
	}
	body := frame.EncodeMessage(one.room, []byte(one.id), d.user, d.line.client.Name, []byte(one.text))
	cmd := Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(d.user, []byte(one.id)), Read: d.sim.now}
	if !d.node.runner.post(&cmd) {
		body.Release()
		return false
	}
	if one.due == 0 {
		one.due = d.sim.now + answerWithin
	}
	return true
}

// ask posts a question, or a notice of typing. That one may come to a refused join
// and be answered with an error too, so it waits until the join is answered.
func (d *device) ask(room string, cmd Command) {
	cmd.Member = d.member(room)
	if cmd.Member == nil || cmd.Kind == Typing && cmd.Member.State() == Pending {
		return
	}
	if d.node.runner.post(&cmd) && cmd.Kind != Typing {
		d.rooms[room].asked++
	}
}

// find returns what was said under id and not acked, nil if there is none.
func (d *device) find(room, id string) *said {
	i := slices.IndexFunc(d.outbox, func(one *said) bool { return one.room == room && one.id == id })
	if i < 0 {
		return nil
	}
	return d.outbox[i]
}
