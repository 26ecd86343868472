package persist

import (
	"math"
	"nebula/shard"

	"zombiezen.com/go/sqlite"
)

// chain is what the writer knows of a partition's place, and of the messages that its
// entries brought. All of them that one transaction inserts have numbers n in a row, a
// run; the run's first one has in column behind the number of the run before's last one,
// so that the messages are found from the newest on (see Stored) without an index.
type chain struct {
	place shard.Place
	last  int64  // n of the newest message, noRun: there is none
	floor uint64 // entries up to here are not to be found by the chain

	// Of the open transaction.
	touched bool // it is in chains.open
	moved   bool // the place
	begun   bool // the run
}

// noRun is behind the first run.
const noRun = -1

// number sorts chains. What belongs to none comes last: it may repeat what a chain gets.
func (c *chain) number() int {
	if c == nil {
		return math.MaxInt
	}
	return c.place.Partition
}

// link is what a row says of its entry; 0, which takes no byte, says nothing.
type link struct {
	entry  int64 // its N
	epoch  int64 // its epoch, if the message has another
	behind int64
}

func (c *chain) link(it *item) (l link) {
	if c == nil {
		return l
	}
	l.entry = int64(it.entry.N)
	if it.Epoch != it.entry.Epoch {
		l.epoch = int64(it.entry.Epoch)
	}
	if !c.begun {
		l.behind = c.last
	}
	return l
}

// grow notes that row n was added.
func (c *chain) grow(n int64) {
	if c != nil {
		c.last, c.begun = n, true
	}
}

// move takes the place of an entry that is stored whole. Numbers that go back mean that
// what is in the chain was never part of the log that the bus goes on with: the chain
// is as good as new.
func (c *chain) move(p shard.Place) {
	if p.N <= c.place.N {
		c.floor = max(c.floor, c.place.N)
	}
	c.place, c.moved = p, true
}

// chains are those of all partitions, read when first needed. What they tell holds for
// the reasons that roomCache has. They belong to the writer's goroutine.
type chains struct {
	all  map[int]*chain
	open []*chain // which the open transaction met

	find, put *sqlite.Stmt
}

func (c *chains) prepare(conn *sqlite.Conn) error {
	c.forget()
	return prepare(conn, []kept{
		{&c.find, "SELECT epoch, n, last, floor FROM place WHERE partition = ?"},
		{&c.put, "INSERT OR REPLACE INTO place (partition, epoch, n, last, floor) VALUES (?, ?, ?, ?, ?)"},
	})
}

// take returns the chain that an item's record belongs to, and moves its place when the
// item is the last of its entry. nil: it is of no entry, or of one that is not above the
// place and so was stored before.
func (c *chains) take(it *item) (*chain, error) {
	if it.entry.N == 0 {
		return nil, nil
	}
	ch, err := c.get(it.entry.Partition)
	if err != nil {
		return nil, err
	}
	if !ch.touched {
		ch.touched = true
		c.open = append(c.open, ch)
	}
	if !above(it.entry, ch.place) {
		return nil, nil
	}
	if it.last {
		ch.move(it.entry)
	}
	return ch, nil
}

// above compares entries of a partition.
func above(a, b shard.Place) bool {
	return a.Epoch > b.Epoch || a.Epoch == b.Epoch && a.N > b.N
}

func (c *chains) get(partition int) (*chain, error) {
	if ch := c.all[partition]; ch != nil {
		return ch, nil
	}
	ch := &chain{place: shard.Place{Partition: partition}, last: noRun}
	c.find.BindInt64(1, int64(partition))
	if _, err := row(c.find, func() {
		ch.place.Epoch, ch.place.N = uint64(c.find.ColumnInt64(0)), uint64(c.find.ColumnInt64(1))
		ch.last, ch.floor = c.find.ColumnInt64(2), uint64(c.find.ColumnInt64(3))
	}); err != nil {
		return nil, err
	}
	c.all[partition] = ch
	return ch, nil
}

// store writes the places that moved and appends those of all partitions that the
// transaction met to places.
func (c *chains) store(places []shard.Place) ([]shard.Place, error) {
	for _, ch := range c.open {
		places = append(places, ch.place)
		if ch.moved {
			c.put.BindInt64(1, int64(ch.place.Partition))
			c.put.BindInt64(2, int64(ch.place.Epoch))
			c.put.BindInt64(3, int64(ch.place.N))
			c.put.BindInt64(4, ch.last)
			c.put.BindInt64(5, int64(ch.floor))
			if err := run(c.put); err != nil {
				return places, err
			}
		}
		ch.touched, ch.moved, ch.begun = false, false, false
	}
	c.open = c.open[:0]
	return places, nil
}

// forget drops everything: the transaction that it was learned in is gone.
func (c *chains) forget() {
	c.all, c.open = make(map[int]*chain), nil
}
