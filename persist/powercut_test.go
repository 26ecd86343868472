package persist

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"nebula/shard"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"zombiezen.com/go/sqlite"
)

// recorder notes all that SQLite does to a folder's files, and when the Store told
// that messages are stored.
type recorder struct {
	base []byte // the database when it began

	mu     sync.Mutex
	ended  bool
	events []diskEvent
}

// diskEvent is a call with bytes of its own, or a notice.
type diskEvent struct {
	diskCall
	told *shard.Notice
}

func (r *recorder) hook(c diskCall) int32 {
	c.path, c.data = filepath.Base(c.path), bytes.Clone(c.data)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return 0
	}
	r.events = append(r.events, diskEvent{diskCall: c})
	return 0
}

func (r *recorder) committed(notices []shard.Notice) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range notices {
		r.events = append(r.events, diskEvent{told: &n})
	}
}

// end stops the recording.
func (r *recorder) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
}

// inode is a file: what a power cut leaves for sure, and what came since the last sync.
type inode struct {
	synced  []byte
	pending []diskCall
}

// platter is a folder: names by what a power cut leaves for sure, and changes of
// names since, which a journaling file system keeps in order.
type platter struct {
	names   map[string]*inode // as the process sees them
	synced  map[string]*inode
	pending []rename
}

type rename struct {
	name string
	to   *inode // nil: deleted
}

func (p *platter) set(name string, to *inode, durable bool) {
	p.names[name] = to
	p.pending = append(p.pending, rename{name, to})
	if durable {
		p.sync(len(p.pending))
	}
}

func (p *platter) sync(count int) {
	for _, r := range p.pending[:count] {
		p.synced[r.name] = r.to
	}
	p.pending = p.pending[count:]
}

// do does what SQLite did.
func (p *platter) do(c diskCall) {
	f := p.names[c.path]
	switch c.op {
	case diskOpen:
		if f == nil {
			p.set(c.path, &inode{}, false)
		}
	case diskDelete:
		p.set(c.path, nil, c.at == 1)
	case diskSync:
		for _, call := range f.pending {
			f.synced = apply(f.synced, call, nil)
		}
		f.pending = nil
		p.sync(len(p.pending)) // SQLite syncs the folder with a new log's first sync
	case diskWrite, diskTruncate:
		f.pending = append(f.pending, c)
	}
}

// sector is what a disk writes whole.
const sector = 512

// apply changes b as c says; keep tells of each sector whether it got to the disk,
// nil: all did.
func apply(b []byte, c diskCall, keep func() bool) []byte {
	if c.op == diskTruncate {
		if keep == nil || keep() {
			b = append(b[:min(len(b), int(c.at))], make([]byte, max(0, int(c.at)-len(b)))...)
		}
		return b
	}
	for from, end := int(c.at), int(c.at)+len(c.data); from < end; {
		to := min(end, (from/sector+1)*sector)
		if keep == nil || keep() {
			if len(b) < to {
				b = append(b, make([]byte, to-len(b))...)
			}
			copy(b[from:to], c.data[from-int(c.at):])
		}
		from = to
	}
	return b
}

// cut writes to dir what is left if the power fails after so many events, and
// returns what had been told by then. Of what was not synced, any part may be left,
// in any order. lying: no sync did anything.
func (r *recorder) cut(t *testing.T, dir string, events int, chance *rand.Rand, lying bool) (told map[string]uint64) {
	t.Helper()
	database := &inode{synced: bytes.Clone(r.base)}
	p := &platter{names: map[string]*inode{databaseFile: database}, synced: map[string]*inode{databaseFile: database}}
	told = map[string]uint64{}
	for _, e := range r.events[:events] {
		switch {
		case e.told != nil:
			told[e.told.Room] = e.told.Seq
		case !lying || e.op != diskSync:
			p.do(e.diskCall)
		}
	}
	p.sync(chance.IntN(len(p.pending) + 1))
	for name, f := range p.synced {
		if f == nil {
			continue
		}
		share := []float64{0, 0.1, 0.5, 0.9, 1}[chance.IntN(5)]
		b := bytes.Clone(f.synced)
		for _, call := range f.pending {
			b = apply(b, call, func() bool { return chance.Float64() < share })
		}
		write(t, filepath.Join(dir, name), b)
	}
	return told
}

// place is a message in the order of commits.
type place struct {
	room       string
	epoch, seq uint64
}

func placesOf(c *sqlite.Conn) (all []place, err error) {
	stmt, err := c.Prepare("SELECT room.name, epoch, seq FROM message JOIN room ON room.id = room ORDER BY n")
	if err != nil {
		return nil, err
	}
	defer finalize(stmt)
	err = rows(stmt, func() bool {
		all = append(all, place{stmt.ColumnText(0), uint64(stmt.ColumnInt64(1)), uint64(stmt.ColumnInt64(2))})
		return true
	})
	return all, err
}

var errLost = errors.New("what was told is lost")

// judge opens what a power cut left: it must be whole and hold all up to some commit,
// entries whole and with their places, else the error says what is wrong. errLost: not
// all that was told is there.
func judge(dir string, all []place, told map[string]uint64, entries bool) error {
	s, err := Open(context.Background(), Config{Dir: dir, Clustered: entries})
	if err != nil {
		return err
	}
	defer s.Close(context.Background())
	left, err := placesOf(s.conn)
	if err != nil {
		return err
	}
	if len(left) > len(all) || !slices.Equal(left, all[:len(left)]) {
		return fmt.Errorf("%d messages are left, which are not the first of %d", len(left), len(all))
	}
	check, err := s.conn.Prepare("PRAGMA integrity_check")
	if err != nil {
		return err
	}
	defer finalize(check)
	verdict := ""
	if err := rows(check, func() bool { verdict += check.ColumnText(0); return true }); err != nil || verdict != "ok" {
		return fmt.Errorf("not whole: %s, %w", verdict, err)
	}
	if entries {
		if err := wantEntries(s.conn, childPlaces(s)); err != nil {
			return err
		}
	}
	for _, at := range left {
		if told[at.room] <= at.seq {
			delete(told, at.room)
		}
	}
	if len(told) > 0 {
		return fmt.Errorf("%w: %v", errLost, told)
	}
	return nil
}

// recordAll stores messages and closes, with everything recorded.
func recordAll(t *testing.T, durability string, entries bool, chance *rand.Rand) (r *recorder, all []place) {
	cfg := config(t)
	cfg.Clustered = entries
	start(t, cfg).close()
	r = &recorder{base: read(t, filepath.Join(cfg.Dir, databaseFile))}
	testDisk.on(t, cfg.Dir, r.hook)
	cfg.Durability = durability
	h := open(t, cfg)
	h.checkpointer.logPages, h.checkpointer.logCap = 32, 64
	told := make(chan struct{}, 10_000)
	h.Start(func(n []shard.Notice) { r.committed(n); told <- struct{}{} }, release)
	var seqs [childRooms]uint64
	for range 100 {
		i := 0
		for range 1 + chance.IntN(30) {
			i = chance.IntN(childRooms)
			seqs[i]++
			if entries {
				h.appendEntries(i, seqs[i], seqs[i])
			} else {
				h.say(childRoom(i), seqs[i], seqs[i])
			}
		}
		if entries {
			h.awaitPlace(placed(i, seqs[i]))
		} else {
			<-told
		}
	}
	h.close()
	r.end()
	all, err := placesOf(open(t, cfg).conn)
	if err != nil {
		t.Fatal(err)
	}
	return r, all
}

// The power fails at any moment. With durability disk nothing that was told is lost;
// with os what is lost are the last commits. The database is whole in both. That the
// simulation loses what is not synced is seen in os, and in a disk that lies.
func TestStore_PowerCut(t *testing.T) {
	const cuts = 25
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	for _, c := range []struct {
		name, durability string
		lying, entries   bool
	}{{"disk", "disk", false, false}, {"os", "os", false, false}, {"a disk that lies", "disk", true, false}, {"entries", "disk", false, true}} {
		t.Run(c.name, func(t *testing.T) {
			r, all := recordAll(t, c.durability, c.entries, chance)
			lost, broken := 0, 0
			for range cuts {
				dir := t.TempDir()
				told := r.cut(t, dir, chance.IntN(len(r.events)+1), chance, c.lying)
				switch err := judge(dir, all, told, c.entries); {
				case errors.Is(err, errLost):
					lost++
				case err != nil:
					broken++
					if !c.lying {
						t.Error(err)
					}
				}
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d events, %d messages; of %d cuts %d lost something that was told, %d broke the database",
				len(r.events), len(all), cuts, lost, broken)
			if harmless, want := lost+broken == 0, c.durability == "disk" && !c.lying; harmless != want {
				t.Errorf("got harmless %v, want %v", harmless, want)
			}
		})
	}
}
