package shard

import "container/heap"

// timers is the rooms that want to be tended by themselves, a heap by room.wake.
// A room stays in it when it is tended before: that its time comes up for nothing
// later is cheaper than to move it with every message and every commit.
type timers []*room

func (t timers) Len() int           { return len(t) }
func (t timers) Less(i, j int) bool { return t[i].wake < t[j].wake }

func (t timers) Swap(i, j int) {
	t[i], t[j] = t[j], t[i]
	t[i].slot, t[j].slot = i, j
}

// Push is heap.Interface's.
func (t *timers) Push(x any) {
	r, _ := x.(*room)
	r.slot = len(*t)
	*t = append(*t, r)
}

// Pop is heap.Interface's.
func (t *timers) Pop() any {
	last := len(*t) - 1
	r := (*t)[last]
	(*t)[last] = nil
	*t = (*t)[:last]
	return r
}

// next is the earliest time at which a room wants to be tended, Unix ns.
func (t timers) next() int64 {
	if len(t) == 0 {
		return never
	}
	return t[0].wake
}

// set has r come up at due, unless it comes up before that anyway.
func (t *timers) set(r *room, due int64) {
	switch {
	case due >= r.wake:
	case r.wake == never:
		r.wake = due
		heap.Push(t, r)
	default:
		r.wake = due
		heap.Fix(t, r.slot)
	}
}

// remove takes r out, if it is in.
func (t *timers) remove(r *room) {
	if r.wake != never {
		heap.Remove(t, r.slot)
		r.wake = never
	}
}
