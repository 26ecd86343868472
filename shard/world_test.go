package shard

import (
	"fmt"
	"maps"
	"nebula/frame"
	"slices"
	"strings"
	"testing"
	"time"
)

// visitor is one connection of a world.
type visitor struct {
	user, called string // called: the name of its next joins
	screen       screen
	members      map[string]*Member
	silent       bool // one of a crowd, whose screen nobody looks at
}

// world is one shard with a clock, a store and the people who talk to it. Every
// command is a turn of its own unless it is done with step.
type world struct {
	t        *testing.T
	cfg      Config
	now      int64
	busy     float64
	store    *store
	slow     bool   // History answers only when told to
	bare     bool   // no Journal, no History
	relay    *relay // nil: not in a cluster
	epoch    uint64 // of the bus
	entry    uint64 // N of its newest entry
	shard    *Shard
	visitors map[string]*visitor
	order    []string
	answers  []Request // asked and not answered
	out      strings.Builder
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, store: newStore(), visitors: make(map[string]*visitor), now: time.Unix(1_700_000_000, 0).UnixNano(),
		cfg: Config{Shards: 1, Epoch: 1, Grace: 2 * time.Second},
	}
	w.cfg.Now = func() int64 { return w.now }
	w.cfg.Busy = func() float64 { return w.busy }
	t.Cleanup(func() {
		w.start().Close()
	})
	return w
}

// start makes the shard, with what the configuration is by then.
func (w *world) start() *Shard {
	if w.shard == nil {
		w.cfg = w.cfg.withDefaults()
		switch {
		case w.relay != nil:
			w.cfg.Places = []Pos{{w.epoch, w.entry}}
			w.shard = newShard(&w.cfg, 0, w.store, w.store, w.relay)
			if w.bare {
				w.shard = newShard(&w.cfg, 0, nil, nil, w.relay)
			}
		case w.bare:
			w.shard = newShard(&w.cfg, 0, nil, nil, nil)
		default:
			w.shard = newShard(&w.cfg, 0, w.store, w.store, nil)
		}
	}
	return w.shard
}

// step carries out cmd and has a prompt History answer; the turn stays open.
func (w *world) step(cmd Command) {
	w.start().Step(w.now, cmd)
	w.answers = append(w.answers, w.store.questions()...)
	if !w.slow {
		w.answer(false)
	}
}

// answer has History answer all that it was asked.
func (w *world) answer(fails bool) {
	for _, q := range w.answers {
		a := w.store.answer(q)
		if fails {
			a.release()
			a = Answer{Request: q, Err: errStore}
		}
		w.start().Step(w.now, Command{Kind: replayed, answer: &a})
	}
	w.answers = nil
}

// end ends the turn and returns when the shard wants the next.
func (w *world) end() int64 {
	next := w.start().EndTurn(w.now)
	if asked := w.store.questions(); len(asked) > 0 {
		w.answers = append(w.answers, asked...)
		if !w.slow {
			w.answer(false)
			return w.end()
		}
	}
	return next
}

// pass lets time go by, with a turn whenever the shard asked for one, and tells of
// each by show, with the time since the start.
func (w *world) pass(d time.Duration, show func(time.Duration)) {
	start, turns := w.now, 0
	for {
		next := w.end()
		show(time.Duration(w.now - start))
		if w.now == start+int64(d) {
			return
		}
		if turns++; next <= w.now || turns > 10000 {
			w.t.Fatalf("turn %d ends at %d and the next is wanted at %d", turns, w.now, next)
		}
		w.now = min(next, start+int64(d))
	}
}

// visitor returns the connection of that name: a user, or user/device.
func (w *world) visitor(name string) *visitor {
	v := w.visitors[name]
	if v == nil {
		user, _, _ := strings.Cut(name, "/")
		v = &visitor{user: user, called: user, members: make(map[string]*Member)}
		w.visitors[name] = v
		w.order = append(w.order, name)
	}
	return v
}

// join joins a room, again if it did before.
func (w *world) join(name, room string, cursor *Pos) {
	v := w.visitor(name)
	m := v.members[room]
	if m == nil || m.State() == Out {
		m = NewMember(&Client{User: v.user, Name: v.called, Out: &v.screen}, room)
		v.members[room] = m
	}
	cmd := Command{Kind: Join, Member: m}
	if cursor != nil {
		cmd.HasPos, cmd.Epoch, cmd.After = true, cursor.Epoch, cursor.Seq
	}
	w.step(cmd)
}

// member is name's in room; one who never joined is a stranger there.
func (w *world) member(name, room string) *Member {
	v := w.visitor(name)
	if m := v.members[room]; m != nil {
		return m
	}
	return NewMember(&Client{User: v.user, Name: v.called, Out: &v.screen}, room)
}

func (w *world) leave(name, room string) { w.step(Command{Kind: Leave, Member: w.member(name, room)}) }

func (w *world) typing(name string) { w.step(Command{Kind: Typing, Member: w.member(name, "r")}) }

// vanish ends a connection without a word.
func (w *world) vanish(name string) {
	v := w.visitor(name)
	for _, room := range slices.Sorted(maps.Keys(v.members)) {
		if m := v.members[room]; m.State() != Out {
			w.step(Command{Kind: Gone, Member: m})
		}
	}
	clear(v.members)
}

func (w *world) say(name, room, id, text string) {
	m := w.member(name, room)
	body := frame.EncodeMessage(room, []byte(id), m.client.User, m.client.Name, []byte(text))
	w.step(Command{Kind: Say, Member: m, Body: body, Hash: frame.Hash(m.client.User, []byte(id)), Read: w.now})
}

// commit makes durable what was taken, of one room only up to seq.
func (w *world) commit(room string, seq uint64) {
	n := len(w.store.taken)
	if i := slices.IndexFunc(w.store.taken, func(r row) bool { return r.room == room && r.pos.Seq > seq }); room != "" && i >= 0 {
		n = i
	}
	for _, notice := range w.store.commit(n) {
		w.step(Command{Kind: committed, name: notice.Room, Epoch: notice.Epoch, After: notice.Seq, Hash: notice.Hash})
	}
}

// stored puts n messages into the store, after what is there.
func (w *world) stored(n int, epoch uint64) {
	for range n {
		rows := w.store.committed["r"]
		seq := uint64(1)
		if len(rows) > 0 {
			seq = rows[len(rows)-1].pos.Seq + 1
		}
		id := fmt.Sprintf("old%d", seq)
		w.store.committed["r"] = append(rows, row{
			room: "r", pos: Pos{epoch, seq}, milli: w.now/1e6 - 1000, hash: frame.Hash("eve", []byte(id)),
			id: id, user: "eve", name: "eve", text: "from before",
		})
	}
}

// restart is a kill and a new start: what was not committed is gone, and so is
// everybody.
func (w *world) restart() {
	w.start().Close()
	w.shard, w.store.taken, w.answers = nil, nil, nil
	w.cfg.Epochs = append(slices.Clone(w.cfg.Epochs), w.cfg.Epoch+1)
	w.cfg.Epoch++
	for _, v := range w.visitors {
		clear(v.members)
	}
}
