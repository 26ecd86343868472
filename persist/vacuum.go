package persist

import "zombiezen.com/go/sqlite"

const (
	vacuumPages = 64      // given back in one slice
	vacuumAfter = 10_000  // rows removed before the next look
	vacuumSpare = 8 << 20 // bytes that may stay free in any case
)

// vacuum gives free pages back to the file system when there are many: after
// -retain was lowered. Otherwise new messages use them. It belongs to the writer's
// goroutine.
type vacuum struct {
	freed   int64 // rows removed since the last look
	running bool

	pages, free, pageSize, step *sqlite.Stmt
}

func (v *vacuum) prepare(c *sqlite.Conn) error {
	v.freed = vacuumAfter // look at what the last start left
	return prepare(c, []kept{
		{&v.pages, "PRAGMA page_count"},
		{&v.free, "PRAGMA freelist_count"},
		{&v.pageSize, "PRAGMA page_size"},
		{&v.step, "PRAGMA incremental_vacuum(64)"},
	})
}

// wanted tells whether slice has a reason to look.
func (v *vacuum) wanted() bool { return v.running || v.freed >= vacuumAfter }

// slice gives a few pages back if there are many; false: there are not.
func (v *vacuum) slice(s *Store) bool {
	if !v.wanted() {
		return false
	}
	v.freed = 0
	s.gate.Lock()
	defer s.gate.Unlock()
	s.checkpointer.nudge(2 * vacuumPages)
	many, err := v.many()
	if err == nil && many {
		// Each step gives one page back and says so with a row.
		err = rows(v.step, func() bool { return true })
	}
	if err != nil {
		s.failed("free pages were not given back", err)
	}
	v.running = err == nil && many
	return v.running
}

// many tells whether a quarter of the file is free, or an eighth once it runs.
func (v *vacuum) many() (bool, error) {
	var values [3]int64
	for i, stmt := range []*sqlite.Stmt{v.pages, v.free, v.pageSize} {
		if _, err := row(stmt, func() { values[i] = stmt.ColumnInt64(0) }); err != nil {
			return false, err
		}
	}
	pages, free, size := values[0], values[1], values[2]
	share := int64(4)
	if v.running {
		share = 8
	}
	return free*share > pages && free*size > vacuumSpare, nil
}
