package shard

import (
	"cmp"
	"maps"
	"nebula/frame"
	"slices"
)

// simBus is a bus with one partition: a log, and who is where. What it answers, and
// tells, may come late, twice or never, and then nobody knows whether it was done.
type simBus struct {
	sim      *sim
	down     bool
	epoch    uint64
	loses    bool // sometimes its newest entries, and then restores what a node has of them
	log      []simEntry
	base     uint64 // who does not know this entry is refused: ids and last are from later
	ids      map[dedupeKey]Seen
	last     map[string]uint64           // seq of the newest message, by room
	restored map[uint64]bool             // by hash: it was, once
	where    map[whom]map[*node]presence // who is on which node
	count    int                         // of presence
}

type simEntry struct {
	epoch uint64
	rows  []row
}

// draft is a message that a node was asked to bring to the bus.
type draft struct {
	row
	floor, known uint64
}

type dedupeKey struct {
	room string
	hash uint64
}

type whom struct{ room, user string }

// presence is a user's name on one node; the newest counts.
type presence struct {
	name  string
	count int
}

// change is somebody who came, or went, of whom a node was not told yet.
type change struct{ whom }

func newSimBus(s *sim) *simBus {
	return &simBus{
		sim: s, epoch: 1, ids: make(map[dedupeKey]Seen), last: make(map[string]uint64), restored: make(map[uint64]bool), where: make(map[whom]map[*node]presence),
	}
}

// rows is all messages of a room.
func (b *simBus) rows(room string) (rows []row) {
	for _, e := range b.log {
		for _, r := range e.rows {
			if r.room == room {
				rows = append(rows, r)
			}
		}
	}
	return rows
}

// starts gives a node that starts its place: what it had applied and not stored comes
// again. Nobody is on it.
func (b *simBus) starts(n *node) {
	n.queue, n.results, n.untold = nil, nil, nil
	n.cfg.Places, n.cfg.Epochs, n.cfg.Epoch = make([]Pos, 1), []uint64{0}, 0
	for _, rows := range n.store.committed {
		for _, r := range rows {
			n.cfg.Epochs = append(n.cfg.Epochs, r.entry.Epoch)
			n.cfg.Places[0] = later(n.cfg.Places[0], r.entry)
		}
	}
	if n.place = int(n.cfg.Places[0].Seq); n.place <= n.forked {
		n.forked = -1
	}
	for _, e := range b.log[:min(n.place, len(b.log))] {
		n.cfg.Epochs = append(n.cfg.Epochs, e.epoch)
	}
	slices.Sort(n.cfg.Epochs)
	n.cfg.Epochs = slices.Compact(n.cfg.Epochs)
	for _, w := range b.known() {
		if _, here := b.where[w][n]; here {
			delete(b.where[w], n)
			b.spread(n, w)
		}
	}
}

func (b *simBus) known() []whom {
	return slices.SortedFunc(maps.Keys(b.where), whom.compare)
}

func (w whom) compare(v whom) int {
	return cmp.Or(cmp.Compare(w.room, v.room), cmp.Compare(w.user, v.user))
}

// happen is one thing that happens between the bus and a node.
func (b *simBus) happen(n *node) {
	s := b.sim
	for range 1 + s.rnd.IntN(4) {
		switch k := s.rnd.IntN(20); {
		case k < 6:
			b.order(n, 1+s.rnd.IntN(4))
		case k < 13:
			b.apply(n)
		case k < 15:
			b.answer(n, s.chance(8), s.chance(8))
		case k < 18:
			b.tell(n)
		case k == 18:
			b.down = s.chance(3)
		case b.loses && s.chance(3):
			b.lose()
			b.raise()
		case s.chance(6):
			b.raise()
		}
	}
}

// raise begins an epoch. A probe tells the nodes.
func (b *simBus) raise() {
	b.epoch++
	b.log = append(b.log, simEntry{epoch: b.epoch})
}

// lose has the bus go back to an older state, but for what is put back by the nodes that
// are there. The others find out later.
func (b *simBus) lose() {
	keep := len(b.log) - b.sim.rnd.IntN(min(len(b.log), 8)+1)
	for _, n := range b.sim.nodes {
		if n.forked < 0 && !b.sim.chance(3) {
			keep = max(keep, n.place)
		}
		if n.place < n.wrote { // nobody else might have it
			keep = max(keep, min(n.wrote, len(b.log)))
		}
	}
	b.log = b.log[:keep:keep]
	b.base, b.ids, b.last = uint64(keep), make(map[dedupeKey]Seen), make(map[string]uint64)
	for _, n := range b.sim.nodes {
		if n.place > keep && (n.forked < 0 || n.forked > keep) {
			n.forked = keep
		}
	}
}

// rejoin has a node give up what the log does not have, once it is stored: it goes to
// all as restored.
func (b *simBus) rejoin(n *node) {
	n.commit(len(n.store.taken))
	e, at := simEntry{epoch: b.epoch}, Pos{b.epoch, uint64(len(b.log) + 1)}
	common := Pos{Seq: uint64(n.forked)}
	if n.forked > 0 {
		common.Epoch = b.log[n.forked-1].epoch
	}
	for _, room := range simRooms {
		for i := range n.store.committed[room] {
			if r := &n.store.committed[room][i]; r.entry.Seq > common.Seq {
				r.entry = common
				again := *r
				again.restored, again.entry = true, at
				e.rows = append(e.rows, again)
				b.restored[r.hash] = true
			}
		}
	}
	if len(e.rows) > 0 && b.sim.lie != nothingIsRestored {
		b.log = append(b.log, e)
		b.base, n.wrote = at.Seq, int(at.Seq)
	}
	n.place, n.forked, n.rejoined = n.forked, -1, true
	n.runner.post(&Command{Kind: reload, After: uint64(n.place)})
}

// calm lets all come that a node waits for.
func (b *simBus) calm(n *node) {
	b.down = false
	for n.forked >= 0 || n.place < len(b.log) {
		b.apply(n)
	}
	for len(n.queue) > 0 {
		b.order(n, 128)
	}
	for len(n.results) > 0 {
		b.answer(n, false, false)
	}
	for n.forked >= 0 || n.place < len(b.log) {
		b.apply(n)
	}
	for len(n.untold) > 0 {
		b.tell(n)
	}
}

// order brings some of a node's drafts into the log, in one entry. The answer may be
// lost, and with it all that waits behind.
func (b *simBus) order(n *node, most int) {
	s := b.sim
	batch := n.queue[:min(most, len(n.queue))]
	if len(batch) == 0 {
		return
	}
	n.queue = n.queue[len(batch):]
	lost := s.chance(10)
	if lost && s.chance(2) || b.down {
		b.unknown(n, batch)
		return
	}
	if slices.ContainsFunc(batch, func(d draft) bool { return d.known < b.base }) {
		b.unknown(n, batch)
		return
	}
	e := simEntry{epoch: b.epoch}
	for _, d := range batch {
		key := dedupeKey{d.room, d.hash}
		if first, ok := b.ids[key]; ok && s.lie != busForgetsIDs {
			n.results = append(n.results, settledCommand(d.row, true, first))
			continue
		}
		b.last[d.room] = max(b.last[d.room], d.floor) + 1
		d.pos, d.milli, d.entry = Pos{b.epoch, b.last[d.room]}, s.now/1e6, Pos{b.epoch, uint64(len(b.log) + 1)}
		b.ids[key] = Seen{d.hash, d.pos.Seq, d.milli}
		e.rows = append(e.rows, d.row)
		if s.lie == busSettlesAll {
			n.runner.post(&Command{Kind: committed, name: d.room, Epoch: d.pos.Epoch, After: d.pos.Seq})
		}
	}
	if len(e.rows) > 0 {
		b.log = append(b.log, e)
	}
	if lost {
		b.unknown(n, batch)
	}
}

// unknown gives up a batch, and what is behind it.
func (b *simBus) unknown(n *node, batch []draft) {
	for _, d := range append(slices.Clone(batch), n.queue...) {
		n.results = append(n.results, settledCommand(d.row, false, Seen{}))
	}
	n.queue = nil
}

func settledCommand(r row, known bool, at Seen) Command {
	return Command{Kind: settled, name: r.room, Hash: r.hash, HasPos: known, After: at.Seq, Before: uint64(at.Milli)}
}

// answer tells a node what became of one of its drafts.
func (b *simBus) answer(n *node, never, twice bool) {
	if len(n.results) == 0 {
		return
	}
	cmd := n.results[0]
	n.results = n.results[1:]
	if never {
		return
	}
	n.runner.post(&cmd)
	if twice {
		n.runner.post(&cmd)
	}
}

// apply gives a node the next entry of the log, and now and then the one before again.
func (b *simBus) apply(n *node) {
	s := b.sim
	if n.forked >= 0 {
		b.rejoin(n)
		return
	}
	if n.place == len(b.log) || n.store.full {
		return
	}
	if n.place > 0 && !n.rejoined && s.chance(10) {
		n.postEntry(b.log[n.place-1], n.place)
	}
	at := n.place
	if s.lie == entriesSwap && at+1 < len(b.log) && s.chance(4) {
		b.journal(n, b.log[at+1])
		n.postEntry(b.log[at+1], at+2)
		n.place++
	}
	n.place++
	n.rejoined = false
	if s.lie == entryIsLost && s.chance(20) {
		return
	}
	b.journal(n, b.log[at])
	if s.chance(10) { // the journal is quicker
		n.commit(len(n.store.taken))
	}
	n.postEntry(b.log[at], at+1)
}

func (b *simBus) journal(n *node, e simEntry) {
	for _, r := range e.rows {
		n.store.append(r)
	}
}

func (n *node) postEntry(e simEntry, number int) {
	o := Ordered{Epoch: e.epoch, N: uint64(number)}
	for _, r := range e.rows {
		o.Messages = append(o.Messages, Placed{
			Room: r.room, Epoch: r.pos.Epoch, Seq: r.pos.Seq, Milli: r.milli, Hash: r.hash, Body: r.encode(), Read: n.sim.now,
			Restored: r.restored,
		})
	}
	n.runner.postEntry(&o)
}

// simRelay is the bus as one node sees it.
type simRelay struct{ *node }

func (r simRelay) Publish(e Envelope) Verdict {
	s := r.sim
	switch {
	case s.bus.down:
		return Refused
	case len(r.queue) > 20 || s.chance(40):
		return Full
	}
	r.queue = append(r.queue, draft{floor: e.Floor, known: e.Known, row: row{
		room: e.Room, hash: e.Hash, id: string(e.Body.ID()), user: e.User.ID, name: e.User.Name, text: string(e.Body.Text()),
	}})
	return Taken
}

func (r simRelay) Presence(_ int, room string, user frame.User, here bool) {
	b, w := r.sim.bus, whom{room, user.ID}
	if b.where[w] == nil {
		b.where[w] = make(map[*node]presence)
	}
	if here {
		b.count++
		b.where[w][r.node] = presence{user.Name, b.count}
	} else {
		delete(b.where[w], r.node)
	}
	b.spread(r.node, w)
}

// spread has all other nodes told about w, later.
func (b *simBus) spread(from *node, w whom) {
	for _, n := range b.sim.nodes {
		if n != from && (b.sim.lie != presenceIsLost || !b.sim.chance(10)) {
			n.untold = append(n.untold, change{w})
		}
	}
}

// tell tells a node who is, or is not, elsewhere by now.
func (b *simBus) tell(n *node) {
	if len(n.untold) == 0 {
		return
	}
	w := n.untold[0].whom
	n.untold = n.untold[1:]
	user, here := b.elsewhere(n, w)
	n.runner.post(&Command{Kind: elsewhere, Member: stranger(w.room, user), HasPos: here})
}

// elsewhere returns who w is on other nodes than n.
func (b *simBus) elsewhere(n *node, w whom) (user frame.User, here bool) {
	newest := 0
	user = frame.User{ID: w.user, Name: w.user}
	for other, p := range b.where[w] {
		if other != n && p.count > newest {
			newest, user.Name, here = p.count, p.name, true
		}
	}
	return user, here
}

func (r simRelay) Elsewhere(_ int, room string) (users []frame.User) {
	for _, w := range r.sim.bus.known() {
		if user, here := r.sim.bus.elsewhere(r.node, w); here && w.room == room {
			users = append(users, user)
		}
	}
	return users
}

func (r simRelay) Typing(_ int, room string, user frame.User) {
	for _, n := range r.sim.nodes {
		if n != r.node && !r.sim.chance(3) {
			n.runner.post(&Command{Kind: typing, Member: stranger(room, user)})
		}
	}
}
