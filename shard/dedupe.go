package shard

import "time"

// The dedupe window of protocol.md section 2.
const (
	dedupeKeep = 1024
	dedupeFor  = 5 * time.Minute
)

// dedupe remembers the newest dedupeKeep messages and those of the last
// dedupeFor, whichever is more.
type dedupe struct {
	byHash map[uint64]Seen
	order  []uint64 // hashes, oldest first
	head   int      // of order
}

func (d *dedupe) find(hash uint64) (Seen, bool) {
	s, ok := d.byHash[hash]
	return s, ok
}

// add remembers s and forgets what fell out of the window at now (Unix ms).
func (d *dedupe) add(s Seen, now int64) {
	if d.byHash == nil {
		d.byHash = make(map[uint64]Seen)
	}
	d.byHash[s.Hash] = s
	d.order = append(d.order, s.Hash)
	for len(d.order)-d.head > dedupeKeep {
		oldest := d.order[d.head]
		if d.byHash[oldest].Milli > now-dedupeFor.Milliseconds() {
			break
		}
		delete(d.byHash, oldest)
		d.head++
	}
	if d.head > dedupeKeep && d.head > len(d.order)/2 {
		d.order = d.order[:copy(d.order, d.order[d.head:])]
		d.head = 0
	}
}
