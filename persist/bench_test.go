package persist

import (
	"context"
	"fmt"
	"math/rand/v2"
	"nebula/frame"
	"nebula/shard"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
)

// maker makes records of the size that physics.md measured with: rows of about 170
// bytes, in rooms that follow no pattern. One goroutine.
type maker struct {
	rooms  []string
	users  []string
	seqs   []uint64
	hashes uint64
	epoch  uint64
	chance *rand.Rand
	id     []byte
	text   []byte
}

func newMaker(rooms int, epoch uint64) *maker {
	m := &maker{epoch: epoch, seqs: make([]uint64, rooms), chance: rand.New(rand.NewPCG(1, 2)), text: make([]byte, 80)}
	for i := range rooms {
		m.rooms = append(m.rooms, fmt.Sprintf("room-%06d", i))
	}
	for i := range 1000 {
		m.users = append(m.users, fmt.Sprintf("01936d3f-8a70-7000-8000-%012d", i))
	}
	for i := range m.text {
		m.text[i] = 'a' + byte(i%26)
	}
	return m
}

// next is a message of any room.
func (m *maker) next() shard.Record { return m.of(m.chance.IntN(len(m.rooms))) }

// of is the next message of room number i.
func (m *maker) of(i int) shard.Record {
	m.seqs[i]++
	m.hashes++
	user := m.users[m.hashes%uint64(len(m.users))]
	m.id = fmt.Appendf(m.id[:0], "%016x", m.hashes)
	body := frame.EncodeMessage(m.rooms[i], m.id, user, "somebody", m.text)
	milli := time.Now().UnixMilli()
	body.Stamp(m.seqs[i], milli)
	return shard.Record{
		Room: m.rooms[i], Epoch: m.epoch, Seq: m.seqs[i], Milli: milli, Hash: m.hashes * 0x9e3779b97f4a7c15,
		User: user, Name: "somebody", Body: body,
	}
}

// cpu is what the process has used so far, user and system.
func cpu() time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// perMessage runs work, which stores batch messages each time, and reports a message's
// share.
func perMessage(b *testing.B, batch int, work func()) {
	runtime.GC()
	used, began, runs := cpu(), time.Now(), 0
	for b.Loop() {
		work()
		runs++
	}
	n := float64(runs * batch)
	b.ReportMetric(float64((cpu()-used).Microseconds())/n, "cpu-µs/msg")
	b.ReportMetric(n/time.Since(began).Seconds(), "msg/s")
	b.ReportMetric(0, "ns/op")
}

// floor is the least that storing a batch can cost: the same statement on the same
// schema, with nothing around it. Records are made beforehand, rooms known.
type floor struct {
	conn   *sqlite.Conn
	tx     transaction
	insert *sqlite.Stmt
	ids    map[string]int64
}

func newFloor(b *testing.B, durability string, rooms []string) *floor {
	path := filepath.Join(b.TempDir(), databaseFile)
	if err := create(path); err != nil {
		b.Fatal(err)
	}
	f := openFloor(b, path, durability, rooms)
	b.Cleanup(func() { f.conn.Close() })
	return f
}

// openFloor opens a database that has the rooms under the numbers 1, 2 ..., or none of
// them; the caller closes conn.
func openFloor(b *testing.B, path, durability string, rooms []string) *floor {
	synchronous := map[string]string{"os": "synchronous = NORMAL", "disk": "synchronous = FULL"}[durability]
	c, err := openConn(path, sqlite.OpenReadWrite, synchronous, "cache_size = -65536")
	if err != nil {
		b.Fatal(err)
	}
	f := &floor{conn: c, ids: map[string]int64{}}
	if err := f.tx.prepare(c, "BEGIN IMMEDIATE"); err != nil {
		b.Fatal(err)
	}
	f.insert, err = c.Prepare("INSERT INTO message (room, epoch, seq, hash, id, user, name, text, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		b.Fatal(err)
	}
	for i, room := range rooms {
		f.ids[room] = int64(i + 1)
	}
	return f
}

func (f *floor) store(b *testing.B, batch []shard.Record) {
	err := f.tx.do(func() error {
		for i := range batch {
			r, s := &batch[i], f.insert
			s.BindInt64(1, f.ids[r.Room])
			s.BindInt64(2, int64(r.Epoch))
			s.BindInt64(3, int64(r.Seq))
			s.BindInt64(4, int64(r.Hash))
			s.BindText(5, lend(r.Body.ID()))
			s.BindText(6, r.User)
			s.BindText(7, r.Name)
			s.BindText(8, lend(r.Body.Text()))
			s.BindInt64(9, r.Milli)
			if err := run(s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStore_Commit stores batches through the Store, Append to notice, and
// straight into SQLite. The Store has no pace here: it would wait, not work.
func BenchmarkStore_Commit(b *testing.B) {
	for _, durability := range []string{"os", "disk"} {
		for _, size := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/batch=%d/floor", durability, size), func(b *testing.B) {
				m := newMaker(1000, 1)
				f := newFloor(b, durability, m.rooms)
				var batch []shard.Record
				perMessage(b, size, func() {
					batch = batch[:0]
					for range size {
						batch = append(batch, m.next())
					}
					f.store(b, batch)
					for i := range batch {
						batch[i].Body.Release()
					}
				})
			})
			b.Run(fmt.Sprintf("%s/batch=%d/store", durability, size), func(b *testing.B) {
				s := benchStore(b, Config{Dir: b.TempDir(), Durability: durability}, 0)
				m := newMaker(1000, s.Epoch())
				perMessage(b, size, func() { s.storeAll(b, m, size) })
			})
		}
	}
}

// bench is a Store of a benchmark.
type bench struct {
	*Store
	told chan struct{}
}

func benchStore(b *testing.B, cfg Config, pace time.Duration) *bench {
	store, err := Open(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	s := &bench{store, make(chan struct{}, 1)}
	s.writer.pace = pace
	s.Start(func([]shard.Notice) {
		select {
		case s.told <- struct{}{}:
		default:
		}
	}, release)
	b.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			b.Error(err)
		}
	})
	return s
}

// storeAll appends count records and waits until they are stored.
func (s *bench) storeAll(b *testing.B, m *maker, count int) {
	for range count {
		if r := m.next(); !s.Append(r) {
			b.Fatal("refused")
		}
	}
	for s.Stats().Queue > 0 {
		<-s.told
	}
}

// BenchmarkStore_Steady offers 20,000 messages a second, evenly, and tells what of a
// core that takes, the making of the records included.
func BenchmarkStore_Steady(b *testing.B) {
	s := benchStore(b, Config{Dir: b.TempDir()}, pace)
	steady(b, s, newMaker(1000, s.Epoch()), 20_000)
}

func steady(b *testing.B, s *bench, m *maker, rate int) {
	const tick = time.Millisecond
	used, began, sent := cpu(), time.Now(), 0
	for b.Loop() {
		time.Sleep(time.Until(began.Add(time.Duration(sent) * time.Second / time.Duration(rate))))
		for range rate / int(time.Second/tick) {
			if r := m.next(); s.Append(r) {
				sent++
			} else {
				r.Body.Release()
				b.Fatal("refused")
			}
		}
	}
	took := time.Since(began)
	b.ReportMetric(100*float64(cpu()-used)/float64(took), "%core")
	b.ReportMetric(float64(sent)/took.Seconds(), "msg/s")
	_, counts, sum := s.commits.Snapshot()
	commits := uint64(0)
	for _, n := range counts {
		commits += n
	}
	b.ReportMetric(1000*sum/float64(commits), "ms/commit")
	b.ReportMetric(float64(sent)/float64(commits), "msg/commit")
	b.ReportMetric(0, "ns/op")
}
