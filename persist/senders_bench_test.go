package persist

import (
	"context"
	"fmt"
	"nebula/shard"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

// The big database: a working set that neither SQLite's cache nor a cold start may
// depend on. NEBULA_BENCH_DATA names its folder; it is made when it is not there,
// which takes some minutes and 3 GB.
const (
	bigRooms    = 100_000
	bigMessages = 10_000_000
	bigEnv      = "NEBULA_BENCH_DATA"
)

// bigDatabase returns the folder of the big database, and the maker that goes on where
// it ends. It skips nothing: without the variable the benchmark is not defined.
func bigDatabase(b *testing.B) (dir string, m *maker) {
	dir = os.Getenv(bigEnv)
	m = newMaker(bigRooms, 1)
	path := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(path); err != nil {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			b.Fatal(err)
		}
		fillBig(b, path, m)
	}
	for i := range m.seqs { // above everything that earlier benchmarks stored
		m.seqs[i] = uint64(time.Now().Unix())
	}
	m.hashes = uint64(time.Now().UnixNano())
	return dir, m
}

// fillBig writes the rooms' messages in rounds, a message a room each, so that the
// index is filled in its own order and not page by page at random.
func fillBig(b *testing.B, path string, m *maker) {
	if err := create(path); err != nil {
		b.Fatal(err)
	}
	f := openFloor(b, path, "os", m.rooms)
	defer f.conn.Close()
	if err := exec(f.conn, "PRAGMA synchronous = OFF"); err != nil {
		b.Fatal(err)
	}
	err := f.tx.do(func() error {
		for i, room := range m.rooms {
			if err := exec(f.conn, fmt.Sprintf("INSERT INTO room (id, name) VALUES (%d, '%s')", i+1, room)); err != nil {
				return err
			}
		}
		return exec(f.conn, "INSERT INTO epoch VALUES (1)")
	})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]shard.Record, 0, maxBatch)
	for n := range bigMessages {
		batch = append(batch, m.of(n%bigRooms))
		if len(batch) == maxBatch {
			f.store(b, batch)
			releaseAll(batch)
			batch = batch[:0]
		}
	}
}

// BenchmarkStore_Senders lets so many senders each wait for the ack of one message
// before the next, and the floor write the batches that came of it: a batch of all
// senders. ns/op has no meaning: an operation is one message.
func BenchmarkStore_Senders(b *testing.B) {
	for _, data := range []string{"empty", "10M"} {
		if data == "10M" && os.Getenv(bigEnv) == "" {
			continue
		}
		for _, durability := range []string{"os", "disk"} {
			for _, senders := range []int{1, 10, 100, 1000} {
				name := fmt.Sprintf("%s/%s/%d", data, durability, senders)
				b.Run(name+"/store", func(b *testing.B) {
					dir, m := b.TempDir(), newMaker(1000, 1)
					if data == "10M" {
						dir, m = bigDatabase(b)
					}
					askInTurn(b, Config{Dir: dir, Durability: durability}, m, senders)
				})
				b.Run(name+"/floor", func(b *testing.B) {
					path, m := filepath.Join(b.TempDir(), databaseFile), newMaker(1000, 1)
					if data == "10M" {
						var dir string
						dir, m = bigDatabase(b)
						path = filepath.Join(dir, databaseFile)
					} else if err := create(path); err != nil {
						b.Fatal(err)
					}
					f := openFloor(b, path, durability, m.rooms)
					defer f.conn.Close()
					writeInTurn(b, f, m, senders)
				})
			}
		}
	}
}

// writeInTurn stores a batch of all senders' messages after the other.
func writeInTurn(b *testing.B, f *floor, m *maker, senders int) {
	var times []time.Duration
	batch := make([]shard.Record, 0, senders)
	used, began, sent := cpu(), time.Now(), 0
	for b.Loop() {
		batch = append(batch, m.next())
		if len(batch) < senders {
			continue
		}
		start := time.Now()
		f.store(b, batch)
		times = append(times, time.Since(start))
		sent += len(batch)
		releaseAll(batch)
		batch = batch[:0]
	}
	releaseAll(batch)
	reportSenders(b, sent, cpu()-used, time.Since(began), times)
}

func releaseAll(batch []shard.Record) {
	for i := range batch {
		batch[i].Body.Release()
	}
}

// waiting is a message whose ack is awaited.
type waiting struct {
	seq  uint64
	from time.Time
}

// askInTurn keeps senders messages on their way and measures how long each takes.
func askInTurn(b *testing.B, cfg Config, m *maker, senders int) {
	var mu sync.Mutex
	asked := map[string][]waiting{}
	var times []time.Duration
	acks := make(chan int, senders)
	store, err := Open(context.Background(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	m.epoch = store.Epoch()
	store.Start(func(notices []shard.Notice) {
		now, count := time.Now(), 0
		mu.Lock()
		for _, n := range notices {
			list := asked[n.Room]
			for len(list) > 0 && list[0].seq <= n.Seq {
				times = append(times, now.Sub(list[0].from))
				list, count = list[1:], count+1
			}
			if len(list) == 0 {
				delete(asked, n.Room)
			} else {
				asked[n.Room] = list
			}
		}
		mu.Unlock()
		acks <- count
	}, release)
	used, began, sent, free := cpu(), time.Now(), 0, senders
	for b.Loop() {
		for free == 0 {
			free += <-acks
		}
		free--
		r := m.next()
		mu.Lock()
		asked[r.Room] = append(asked[r.Room], waiting{r.Seq, time.Now()})
		mu.Unlock()
		if !store.Append(r) {
			b.Fatal("refused")
		}
		sent++
	}
	for free < senders {
		free += <-acks
	}
	reportSenders(b, sent, cpu()-used, time.Since(began), times)
	if err := store.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}

func reportSenders(b *testing.B, sent int, used, took time.Duration, times []time.Duration) {
	if sent == 0 {
		return
	}
	slices.Sort(times)
	at := func(p float64) float64 { return float64(times[int(p*float64(len(times)-1))].Microseconds()) / 1000 }
	b.ReportMetric(float64(sent)/took.Seconds(), "msg/s")
	b.ReportMetric(float64(used.Microseconds())/float64(sent), "cpu-µs/msg")
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStore_Open opens the big database, and loads one cold room after the other
// while 10,000 messages a second are written to others: a room that is written to on one
// machine is not cold, its sender is in it.
func BenchmarkStore_Open(b *testing.B) {
	if os.Getenv(bigEnv) == "" {
		b.Fatalf("%s names no folder", bigEnv)
	}
	dir, m := bigDatabase(b)
	began := time.Now()
	store, err := Open(context.Background(), Config{Dir: dir})
	if err != nil {
		b.Fatal(err)
	}
	opened := time.Since(began)
	m.epoch = store.Epoch()
	loaded := make(chan int, 1)
	store.Start(func([]shard.Notice) {}, func(a shard.Answer) {
		n := len(a.Messages)
		release(a)
		loaded <- n
	})
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for range 10 {
					if r := m.of(2 * m.chance.IntN(bigRooms/2)); !store.Append(r) {
						r.Body.Release()
					}
				}
			case <-stop:
				return
			}
		}
	}()
	var times []time.Duration
	room := 1
	for b.Loop() {
		room = (room + 2*7919) % bigRooms
		start := time.Now()
		if !store.Replay(shard.Request{Kind: shard.Load, Room: m.rooms[room]}) {
			b.Fatal("refused")
		}
		if n := <-loaded; n == 0 {
			b.Fatal("an empty room")
		}
		times = append(times, time.Since(start))
	}
	close(stop)
	<-stopped
	slices.Sort(times)
	b.ReportMetric(float64(opened.Milliseconds()), "open-ms")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(float64(times[len(times)-1].Microseconds())/1000, "max-ms")
	b.ReportMetric(0, "ns/op")
	if err := store.Close(context.Background()); err != nil {
		b.Fatal(err)
	}
}
