package persist

import (
	"nebula/shard"

	"zombiezen.com/go/sqlite"
)

// maxYoung bounds the rooms that the writer remembers to twice as many.
const maxYoung = 32 << 10

// stored is what the writer knows of a room.
type stored struct {
	id   int64
	last shard.Pos // the highest in the database, the open transaction included
}

// roomCache saves the writer from asking the database for rooms that were written
// to lately. What it tells holds only as long as this connection alone writes and
// every failed transaction is followed by forget.
type roomCache struct {
	young, old map[string]*stored

	find, last, add *sqlite.Stmt
}

func (c *roomCache) prepare(conn *sqlite.Conn) (err error) {
	c.young, c.old = make(map[string]*stored), nil
	if c.find, err = conn.Prepare("SELECT id FROM room WHERE name = ?"); err != nil {
		return err
	}
	if c.last, err = conn.Prepare(lastSQL); err != nil {
		return err
	}
	c.add, err = conn.Prepare("INSERT INTO room (name) VALUES (?) RETURNING id")
	return err
}

// lastSQL finds the newest place of a room at the end of the index.
const lastSQL = "SELECT epoch, seq FROM message WHERE room = ? ORDER BY epoch DESC, seq DESC LIMIT 1"

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
		_, err := row(c.add, func() { r.id = c.add.ColumnInt64(0) })
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
	clear(c.young)
	clear(c.old)
}
