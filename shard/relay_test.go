package shard

import (
	"fmt"
	"nebula/frame"
	"slices"
)

// relay is the rest of a cluster as a world plays it: it answers as it is told to and
// remembers what it was asked.
type relay struct {
	verdict Verdict
	told    []string
	people  []frame.User // elsewhere, in every room
}

func (r *relay) note(format string, args ...any) {
	r.told = append(r.told, fmt.Sprintf(format, args...))
}

func (r *relay) Publish(e Envelope) Verdict {
	r.note("asked for the place of %s in %s, above %d, of who knows entry %d", e.Body.ID(), e.Room, e.Floor, e.Known)
	return r.verdict
}

func (r *relay) Presence(_ int, room string, user frame.User, here bool) {
	if here {
		r.note("%s is in %s, called %s", user.ID, room, user.Name)
	} else {
		r.note("%s left %s", user.ID, room)
	}
}

func (r *relay) Typing(_ int, room string, user frame.User) { r.note("%s types in %s", user.ID, room) }

func (r *relay) Elsewhere(_ int, room string) []frame.User {
	r.note("asked who is in %s", room)
	return r.people
}

// elsewhere has a user come to be, or be no longer, on another node.
func (w *world) elsewhere(user frame.User, here bool) {
	w.relay.people = slices.DeleteFunc(w.relay.people, func(u frame.User) bool { return u.ID == user.ID })
	if here {
		w.relay.people = append(w.relay.people, user)
	}
	w.step(Command{Kind: elsewhere, Member: stranger("r", user), HasPos: here})
}

// journal gives a message that has its place to the Journal, if that has it not yet.
func (w *world) journal(p *Placed, id, user string) {
	w.store.append(row{
		room: p.Room, pos: p.pos(), milli: p.Milli, hash: p.Hash, id: id, user: user, name: user, text: "by the bus",
		restored: p.Restored,
	})
}

// place has the next entry of the bus come.
func (w *world) place(messages []Placed) {
	w.start()
	for _, p := range messages {
		if !p.Restored {
			w.epoch = max(w.epoch, p.Epoch)
		}
	}
	w.entry++
	w.step(Command{Kind: entry, Epoch: w.epoch, After: w.entry})
	for i := range messages {
		w.step(orderedCommand(&messages[i]))
	}
}
