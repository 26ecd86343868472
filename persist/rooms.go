package persist

import (
	"nebula/shard"

	"zombiezen.com/go/sqlite"
)

// maxYoung bounds the rooms that the writer remembers to twice as many.
const maxYoung = 16 << 10

// stored is what the writer knows of a room.
type stored struct {
	id   int64
	last shard.Pos // the highest in the database, the open transaction included

	// Of the retainer.
	soon  bool // stands in its list of rooms to cut
	later bool // stands in its list of tombstones to remove
}

// advance moves the end to a place beyond it; false: the place is not beyond it.
func (r *stored) advance(epoch, seq uint64) bool {
	if epoch < r.last.Epoch || epoch == r.last.Epoch && seq <= r.last.Seq {
		return false
	}
	r.last = shard.Pos{Epoch: epoch, Seq: seq}
	return true
}

// roomCache saves the writer from asking the database for rooms that were written
// to lately. What it tells holds because nobody else writes, and because a failed
// transaction is followed by forget. It belongs to the writer's goroutine.
type roomCache struct {
	conn            *sqlite.Conn
	young, old      map[string]*stored
	find, last, add *sqlite.Stmt
}

func (c *roomCache) prepare(conn *sqlite.Conn) error {
	c.conn = conn
	c.forget()
	return prepare(conn, []kept{
		{&c.find, "SELECT id FROM room WHERE name = ?"},
		{&c.last, newestSQL},
		{&c.add, "INSERT INTO room (name) VALUES (?)"},
	})
}

// get returns the room, which is made in the open transaction if it is new.
func (c *roomCache) get(name string) (*stored, error) {
	if r := c.young[name]; r != nil {
		return r, nil
	}
	r := c.old[name]
	if r == nil {
		var err error
		if r, err = c.read(name); err != nil {
			return nil, err
		}
	}
	if len(c.young) >= maxYoung {
		c.young, c.old = make(map[string]*stored), c.young
	}
	c.young[name] = r
	return r, nil
}

func (c *roomCache) read(name string) (*stored, error) {
	r := &stored{}
	c.find.BindText(1, name)
	found, err := row(c.find, func() { r.id = c.find.ColumnInt64(0) })
	if err != nil {
		return nil, err
	}
	if !found {
		c.add.BindText(1, name)
		err := run(c.add)
		r.id = c.conn.LastInsertRowID()
		return r, err
	}
	c.last.BindInt64(1, r.id)
	_, err = row(c.last, func() {
		r.last = shard.Pos{Epoch: uint64(c.last.ColumnInt64(0)), Seq: uint64(c.last.ColumnInt64(1))}
	})
	return r, err
}

// forget drops everything: the transaction that it was learned in is gone.
func (c *roomCache) forget() {
	c.young, c.old = make(map[string]*stored), nil
}
