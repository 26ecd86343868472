package shard

import "slices"

// node is a Runner without its goroutine, and its store.
type node struct {
	sim    *sim
	cfg    Config
	store  *store
	runner *Runner
	asked  []Request // to History, not answered yet

	// In a cluster.
	place    int       // entries of the log applied
	forked   int       // the bus goes on after this one, which is before place; -1: it does not
	rejoined bool      // and was told of no entry since
	wrote    int       // the entry with what it restored
	queue    []draft   // taken, not on the bus yet
	results  []Command // of drafts, not told yet
	untold   []change  // who is elsewhere, not told yet
}

func newNode(s *sim) *node {
	n := &node{sim: s, forked: -1, store: newStore(), cfg: Config{Shards: 1, Epoch: 1, Grace: simGrace, Mailbox: 4}}
	if s.bus != nil {
		n.cfg.Mailbox = 8 // which holds what waits for its place too
	}
	n.cfg.Now = func() int64 { return s.now }
	n.cfg.Busy = func() float64 { return float64(s.now/1e9%10) / 10 }
	n.start()
	return n
}

func (n *node) start() {
	n.sim.starts++
	var relay Relay
	if n.sim.bus != nil {
		relay = simRelay{n}
		n.sim.bus.starts(n)
	}
	n.cfg = n.cfg.withDefaults()
	n.runner = newRunner(newShard(&n.cfg, 0, simJournal{n}, n.store, relay))
	close(n.runner.ended)
}

// simJournal is the store's Journal, or one that loses records.
type simJournal struct{ *node }

func (j simJournal) Append(r Record) bool {
	if j.sim.lie == journalDrops && j.sim.chance(20) {
		r.Body.Release()
		return true
	}
	return j.store.Append(r)
}

// work has the mailbox worked off.
func (n *node) work() {
	n.runner.work()
	select {
	case <-n.runner.wake:
		n.runner.ownTurn()
	default:
	}
	n.asked = append(n.asked, n.store.questions()...)
}

// commit makes the first count of what was taken durable, of an entry all or nothing.
func (n *node) commit(count int) {
	taken := n.store.taken
	if count == 0 {
		return
	}
	if n.sim.lie == acksBeforeCommit {
		last := taken[len(taken)-1]
		n.runner.post(&Command{Kind: committed, name: last.room, Epoch: last.pos.Epoch, After: last.pos.Seq})
		return
	}
	for n.sim.bus != nil && count < len(taken) && taken[count].entry == taken[count-1].entry {
		count++
	}
	for _, notice := range n.store.commit(count) {
		if n.sim.lie != commitIsLost || !n.sim.chance(20) {
			n.runner.post(&Command{Kind: committed, name: notice.Room, Epoch: notice.Epoch, After: notice.Seq, Hash: notice.Hash})
		}
	}
}

// answer has History answer one of its questions.
func (n *node) answer(fails bool) {
	if len(n.asked) == 0 {
		return
	}
	i := n.sim.rnd.IntN(len(n.asked))
	q := n.asked[i]
	n.asked = slices.Delete(n.asked, i, i+1)
	a := n.store.answer(q)
	switch {
	case fails:
		a.release()
		a = Answer{Request: q, Err: errStore}
	case n.sim.lie == historyForgetsWindow:
		a.IDs = nil
	case n.sim.lie == historyForgetsNewest && q.Kind == Load && len(a.Messages) > 0:
		last := len(a.Messages) - 1
		a.Messages[last].Release()
		a.Messages, a.Epochs, a.Last.Seq = a.Messages[:last], a.Epochs[:last], a.Last.Seq-1
	}
	n.runner.post(&Command{Kind: replayed, answer: &a})
}

// restart is a kill and a new start. What was being committed may have been.
func (n *node) restart() {
	n.runner.close()
	if len(n.store.taken) > 0 && n.sim.lie != acksBeforeCommit {
		n.commit(n.sim.rnd.IntN(len(n.store.taken)))
	}
	n.store.taken, n.asked = nil, nil
	if n.sim.bus == nil {
		n.cfg.Epochs = append(n.cfg.Epochs[:len(n.cfg.Epochs):len(n.cfg.Epochs)], n.cfg.Epoch+1)
		n.cfg.Epoch++
	}
	n.start()
	for _, d := range n.sim.devices {
		if d.node == n {
			d.connect()
		}
	}
}

// calm lets everything that waits come.
func (n *node) calm() {
	n.store.full, n.store.deaf = false, false
	if n.sim.bus != nil {
		n.sim.bus.calm(n)
	}
	for len(n.asked) > 0 {
		n.answer(false)
	}
	n.commit(len(n.store.taken))
	n.work()
}

// rows is all messages of a room that were journaled, in their order.
func (n *node) rows(room string) []row {
	rows := slices.Clone(n.store.committed[room])
	for _, r := range n.store.taken {
		if r.room == room {
			rows = append(rows, r)
		}
	}
	return rows
}
