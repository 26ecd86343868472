package persist

import (
	"nebula/shard"
	"sync"

	"zombiezen.com/go/sqlite"
)

// placeTable is the places that are stored. Any goroutine.
type placeTable struct {
	mu  sync.Mutex
	all map[int]shard.Place // by partition
}

// Place returns the newest entry of a partition that is stored, and so are all before
// it; zero: none. Any goroutine.
func (s *Store) Place(partition int) (epoch, n uint64) {
	s.places.mu.Lock()
	defer s.places.mu.Unlock()
	p := s.places.all[partition]
	return p.Epoch, p.N
}

// load reads what is stored.
func (p *placeTable) load(c *sqlite.Conn) error {
	stmt, err := c.Prepare("SELECT partition, epoch, n FROM place")
	if err != nil {
		return err
	}
	defer finalize(stmt)
	p.all = make(map[int]shard.Place)
	return rows(stmt, func() bool {
		at := posAt(stmt, 1)
		partition := stmt.ColumnInt(0)
		p.all[partition] = shard.Place{Partition: partition, Epoch: at.Epoch, N: at.Seq}
		return true
	})
}

// set notes what is committed.
func (p *placeTable) set(moved []shard.Place) {
	if len(moved) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range moved {
		p.all[at.Partition] = at
	}
}
