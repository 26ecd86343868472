package shard

import "time"

// The dedupe window of protocol.md section 2.
const (
	dedupeKeep = 1024
	dedupeFor  = 5 * time.Minute
)

// dedupe remembers the newest dedupeKeep messages and those of the last
// dedupeFor, whichever is more. It is a ring with an index, open addressing with
// linear probing, which unlike a map allocates nothing once it has its size, in 40
// bytes a message.
type dedupe struct {
	ring  []Seen   // a power of two long
	first int      // where the oldest stands in ring
	count int      // how many are remembered
	index []uint32 // by hash: place in ring + 1; 0: none. Twice as long as ring
}

// find returns what is remembered under hash.
func (d *dedupe) find(hash uint64) (Seen, bool) {
	if d.count == 0 {
		return Seen{}, false
	}
	at := d.index[d.slot(hash)]
	if at == 0 {
		return Seen{}, false
	}
	return d.ring[at-1], true
}

// slot is where hash stands in index, or where it belongs.
func (d *dedupe) slot(hash uint64) int {
	mask := len(d.index) - 1
	i := int(hash) & mask
	for d.index[i] != 0 && d.ring[d.index[i]-1].Hash != hash {
		i = (i + 1) & mask
	}
	return i
}

// add remembers s and forgets what fell out of the window at now (Unix ms).
func (d *dedupe) add(s Seen, now int64) {
	for d.count >= dedupeKeep && d.ring[d.first].Milli <= now-dedupeFor.Milliseconds() {
		d.forget()
	}
	switch {
	case d.count == len(d.ring):
		d.resize(max(2*len(d.ring), 8))
	case len(d.ring) > dedupeKeep && d.count < len(d.ring)/4:
		d.resize(len(d.ring) / 2)
	}
	d.put(s)
}

// put appends s to the ring, which has room.
func (d *dedupe) put(s Seen) {
	at := (d.first + d.count) & (len(d.ring) - 1)
	d.ring[at] = s
	d.count++
	d.index[d.slot(s.Hash)] = uint32(at) + 1
}

func (d *dedupe) resize(size int) {
	old := *d
	*d = dedupe{ring: make([]Seen, size), index: make([]uint32, 2*size)}
	for i := range old.count {
		d.put(old.ring[(old.first+i)&(len(old.ring)-1)])
	}
}

// forget forgets the oldest.
func (d *dedupe) forget() {
	hash, at := d.ring[d.first].Hash, uint32(d.first)+1
	d.first = (d.first + 1) & (len(d.ring) - 1)
	d.count--
	hole := d.slot(hash)
	if d.index[hole] != at {
		return // a newer one bears the same hash
	}
	// Close the gap, so that no search ends before what it looks for: what follows
	// moves up, unless that were before its own place.
	mask := len(d.index) - 1
	for i := (hole + 1) & mask; d.index[i] != 0; i = (i + 1) & mask {
		home := int(d.ring[d.index[i]-1].Hash) & mask
		if (i-home)&mask >= (i-hole)&mask {
			d.index[hole] = d.index[i]
			hole = i
		}
	}
	d.index[hole] = 0
}
