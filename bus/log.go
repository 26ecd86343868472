package bus

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

const (
	pageFirst = 16        // entries to ask for at first
	pageMost  = 500       // 1.1 ms of Redis with small entries, measured
	pageBytes = 256 << 10 // a page is about as large, and never larger than its entries are
)

// head is what the bus says of a partition.
type head struct {
	epoch  uint64 // 0: the bus knows nothing
	opened uint64 // the newest epoch that was opened
	n      uint64 // of the newest entry
}

func (h head) open() bool { return h.epoch != 0 && h.epoch == h.opened }

// headFrom reads the values of epoch, opened and n; what is missing is zero.
func headFrom(values []rueidis.RedisMessage) (head, error) {
	var h head
	if len(values) < 3 {
		return h, fmt.Errorf("bus: a head of %d values", len(values))
	}
	for i, to := range []*uint64{&h.epoch, &h.opened, &h.n} {
		s, err := values[i].ToString()
		if rueidis.IsRedisNil(err) || err == nil && s == "" {
			continue
		}
		if err != nil {
			return h, fmt.Errorf("bus: read a head: %w", err)
		}
		if *to, err = strconv.ParseUint(s, 10, 64); err != nil {
			return h, fmt.Errorf("bus: read a head: %w", err)
		}
	}
	return h, nil
}

// readHead asks the bus for the partition's head.
func (r *receiver) readHead() (head, error) {
	m, err := r.do(r.control.B().Hmget().Key(r.p.keys.meta).Field("epoch", "opened", "n").Build())
	if err != nil {
		return head{}, err
	}
	values, err := m.ToArray()
	if err != nil {
		return head{}, fmt.Errorf("bus: read a head: %w", err)
	}
	return headFrom(values)
}

// pageScript reads the head and a part of the log as they are at one moment.
//
// KEYS: meta, log. ARGV: the id from which, entries at most.
const pageScript = `-- nebula page
local m = redis.call('HMGET', KEYS[1], 'epoch', 'opened', 'n')
local first = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)
return {m[1] or '', m[2] or '', m[3] or '0', first[1] and first[1][1] or '',
  redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2])}
`

// page is a part of the log.
type page struct {
	head
	first   Pos // of the oldest entry that the log has; zero: it is empty
	entries []logged
}

// logged is an entry as the log has it.
type logged struct {
	Pos
	bytes string
}

// readPage reads the log from the place on, which comes first if the log has it.
func (r *receiver) readPage(from Pos, count int64) (page, error) {
	cmd := r.control.B().Eval().Script(pageScript).Numkeys(2).Key(r.p.keys.meta, r.p.keys.log).
		Arg(from.id(), strconv.FormatInt(count, 10)).Build()
	m, err := r.do(cmd)
	if err != nil {
		return page{}, err
	}
	values, err := m.ToArray()
	if err != nil || len(values) != 5 {
		return page{}, fmt.Errorf("bus: a page of %d parts: %w", len(values), err)
	}
	pg := page{}
	if pg.head, err = headFrom(values); err != nil {
		return page{}, err
	}
	if first, _ := values[3].ToString(); first != "" {
		if pg.first, err = parseID(first); err != nil {
			return page{}, err
		}
	}
	entries, err := values[4].AsXRange()
	if err != nil {
		return page{}, fmt.Errorf("bus: read the log: %w", err)
	}
	for _, e := range entries {
		pos, err := parseID(e.ID)
		if err != nil {
			return page{}, err
		}
		pg.entries = append(pg.entries, logged{Pos: pos, bytes: e.FieldValues["e"]})
	}
	return pg, nil
}

// id names the entry at p in the log.
func (p Pos) id() string {
	return strconv.FormatUint(p.Epoch, 10) + "-" + strconv.FormatUint(p.N, 10)
}

func parseID(s string) (Pos, error) {
	epoch, n, _ := strings.Cut(s, "-")
	e, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil {
		return Pos{}, fmt.Errorf("bus: the log has an entry %q: %w", s, err)
	}
	i, err := strconv.ParseUint(n, 10, 64)
	if err != nil {
		return Pos{}, fmt.Errorf("bus: the log has an entry %q: %w", s, err)
	}
	return Pos{Epoch: e, N: i}, nil
}

// nextCount returns how many entries to ask for after a page of count and size bytes.
func nextCount(count int64, size int) int64 {
	switch {
	case size > pageBytes:
		return max(1, count/2)
	case size < pageBytes/4:
		return min(pageMost, count*2)
	}
	return count
}
