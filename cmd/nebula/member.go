package main

import (
	"context"
	"nebula/bus"
	"nebula/frame"
	"nebula/persist"
	"nebula/shard"
	"slices"
	"unsafe"
)

// member is this node as the bus sees it: what comes from the bus is stored, and goes
// to the shards. Its methods run on the bus's goroutines.
type member struct {
	// Static once the bus is started.
	set    *shard.Set
	store  *persist.Store
	now    func() int64  // of the shards
	stale  chan struct{} // one token: the log does not reach back to what is stored here
	newest uint64        // see Newest
}

var (
	_ bus.Rooms  = (*member)(nil)
	_ bus.Ledger = (*member)(nil)
)

// Apply implements bus.Rooms. The journal takes an entry before the members see it, so
// that a room which is loaded in between has it from one of the two.
func (m *member) Apply(e *bus.Entry) bool {
	read := m.now()
	messages, records := make([]shard.Placed, len(e.Messages)), make([]shard.Record, len(e.Messages))
	for i := range e.Messages {
		one := &e.Messages[i]
		body := frame.EncodeMessage(one.Room, view(one.ID), one.User, one.Name, view(one.Text))
		body.Stamp(one.Seq, one.Milli)
		messages[i] = shard.Placed{
			Room: one.Room, Epoch: one.Epoch, Seq: one.Seq, Milli: one.Milli, Hash: one.Hash,
			Body: body, Read: read, Restored: one.Restored,
		}
		body.Retain(1)
		records[i] = shard.Record{
			Shard: e.Partition, Room: one.Room, Epoch: one.Epoch, Seq: one.Seq, Milli: one.Milli, Hash: one.Hash,
			User: one.User, Name: one.Name, Body: body, Restored: one.Restored,
		}
	}
	if !m.store.AppendEntry(records, shard.Place{Partition: e.Partition, Epoch: e.Epoch, N: e.N}) {
		for i := range messages {
			messages[i].Body.Release()
			messages[i].Body.Release()
		}
		return false
	}
	m.set.Order(e.Partition, shard.Ordered{Epoch: e.Epoch, N: e.N, Messages: messages})
	return true
}

// view returns the bytes of s, which nobody may write to.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Answer implements bus.Rooms.
func (m *member) Answer(partition int, results []bus.Result) {
	for _, r := range results {
		m.set.Settle(partition, r.Room, r.Hash, r.Known, r.Seq, r.Milli)
	}
}

// Forked implements bus.Rooms.
func (m *member) Forked(partition int, common bus.Pos) { m.set.Reload(partition, common.N) }

// Stale implements bus.Rooms.
func (m *member) Stale(int, uint64) {
	select {
	case m.stale <- struct{}{}:
	default: // it is known
	}
}

// Presence implements bus.Rooms.
func (m *member) Presence(partition int, changes []bus.Change) {
	for _, c := range changes {
		m.set.Elsewhere(partition, c.Room, frame.User{ID: c.User, Name: c.Name}, c.Here)
	}
}

// Typing implements bus.Rooms.
func (m *member) Typing(partition int, room, user, name string) {
	m.set.TypingElsewhere(partition, room, frame.User{ID: user, Name: name})
}

// Place implements bus.Ledger.
func (m *member) Place(partition int) bus.Pos {
	epoch, n := m.store.Place(partition)
	return bus.Pos{Epoch: epoch, N: n}
}

// Newest implements bus.Ledger.
func (m *member) Newest(int) uint64 { return m.newest }

// newestAlone returns the newest epoch in which the node was alone, so far as can be
// told: that of no partition's place. It may be an old one of the log; what is given a
// place is of a later one in any case.
func newestAlone(store *persist.Store, partitions int) uint64 {
	placed := make(map[uint64]bool, partitions)
	for i := range partitions {
		epoch, _ := store.Place(i)
		placed[epoch] = true
	}
	for _, epoch := range slices.Backward(store.Epochs()) {
		if !placed[epoch] {
			return epoch
		}
	}
	return 0
}

// Stored implements bus.Ledger.
func (m *member) Stored(ctx context.Context, partition int, after uint64, maxBytes int) ([]bus.Kept, uint64, error) {
	stored, since, err := m.store.Stored(ctx, partition, after, maxBytes)
	kept := make([]bus.Kept, len(stored))
	for i := range stored {
		one := &stored[i]
		kept[i] = bus.Kept{Entry: bus.Pos{Epoch: one.Entry.Epoch, N: one.Entry.N}, Message: bus.Message{
			Room: one.Room, Epoch: one.Epoch, Seq: one.Seq, Milli: one.Milli, Hash: one.Hash,
			User: one.User, Name: one.Name, ID: one.ID, Text: one.Text, Restored: one.Epoch != one.Entry.Epoch,
		}}
	}
	return kept, since, err
}
