package main

import (
	"nebula/bus"
	"nebula/frame"
	"nebula/shard"
)

// relay is the bus as the shards see it; a partition is a shard.
type relay struct{ bus *bus.Redis }

var _ shard.Relay = relay{}

// Publish implements shard.Relay.
func (r relay) Publish(e shard.Envelope) shard.Verdict {
	switch r.bus.Publish(e.Shard, &bus.Draft{
		Room: e.Room, Hash: e.Hash, User: e.User.ID, Name: e.User.Name, ID: e.Body.ID(), Text: e.Body.Text(),
		Floor: e.Floor, Known: e.Known,
	}) {
	case bus.Taken:
		return shard.Taken
	case bus.Busy:
		return shard.Full
	}
	return shard.Refused
}

// Presence implements shard.Relay.
func (r relay) Presence(partition int, room string, user frame.User, here bool) {
	r.bus.Presence(partition, room, user.ID, user.Name, here)
}

// Typing implements shard.Relay.
func (r relay) Typing(partition int, room string, user frame.User) {
	r.bus.Typing(partition, room, user.ID, user.Name)
}

// Elsewhere implements shard.Relay.
func (r relay) Elsewhere(partition int, room string) []frame.User {
	people := r.bus.Elsewhere(partition, room)
	if len(people) == 0 {
		return nil
	}
	users := make([]frame.User, len(people))
	for i, p := range people {
		users[i] = frame.User{ID: p.User, Name: p.Name}
	}
	return users
}
