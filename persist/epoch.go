package persist

import "zombiezen.com/go/sqlite"

// openEpoch stores a new epoch: above every one before, and at least Unix milliseconds.
func openEpoch(c *sqlite.Conn, now int64) error {
	return exec(c, "INSERT INTO epoch SELECT max(?, 1 + coalesce((SELECT max(epoch) FROM epoch), 0))", now/1e6)
}

// readEpochs returns all epochs, rising.
func readEpochs(c *sqlite.Conn) (epochs []uint64, err error) {
	stmt, err := c.Prepare("SELECT epoch FROM epoch ORDER BY epoch")
	if err != nil {
		return nil, err
	}
	defer finalize(stmt)
	err = rows(stmt, func() bool {
		epochs = append(epochs, uint64(stmt.ColumnInt64(0)))
		return true
	})
	return epochs, err
}

// epochs stores those that entries of the bus's log bring along. It belongs to the
// writer's goroutine.
type epochs struct {
	known map[uint64]bool // they are stored
	put   *sqlite.Stmt
}

func (e *epochs) prepare(conn *sqlite.Conn) error {
	e.forget()
	return prepare(conn, []kept{{&e.put, "INSERT OR IGNORE INTO epoch VALUES (?)"}})
}

// note stores an epoch that is not known yet; 0 is none.
func (e *epochs) note(epoch uint64) error {
	if epoch == 0 || e.known[epoch] {
		return nil
	}
	e.put.BindInt64(1, int64(epoch))
	if err := run(e.put); err != nil {
		return err
	}
	e.known[epoch] = true
	return nil
}

// forget drops everything: the transaction that it was learned in is gone.
func (e *epochs) forget() { e.known = make(map[uint64]bool) }

// count tells how much is stored from the ends of the tables, because SQLite scans
// to count rows: no id of a room and no n is given twice, and what is removed is
// counted.
func count(c *sqlite.Conn) (rooms, messages int, err error) {
	ends, err := numbers(c, "SELECT (SELECT max(id) FROM room), (SELECT max(n) FROM message), "+
		"(SELECT value FROM counter WHERE name = 'removed')", 3)
	if err != nil {
		return 0, 0, err
	}
	return int(ends[0]), int(ends[1] - ends[2]), nil
}
