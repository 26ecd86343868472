package persist

import "zombiezen.com/go/sqlite"

// openEpoch stores this start's epoch and returns all of them.
func openEpoch(c *sqlite.Conn, now int64) (epochs []uint64, err error) {
	const next = "INSERT INTO epoch SELECT max(?, 1 + coalesce((SELECT max(epoch) FROM epoch), 0))"
	if err := exec(c, next, now/1e6); err != nil {
		return nil, err
	}
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
