package persist

import (
	"context"
	"fmt"
	"io"
	"nebula/shard"
	"testing"
)

// BenchmarkStore_Entries stores the same messages as plain records and as entries of 64
// partitions with 8 messages each.
func BenchmarkStore_Entries(b *testing.B) {
	const partitions, size = 64, 8
	for _, count := range []int{8, 64, 1024} {
		b.Run(fmt.Sprintf("batch=%d/records", count), func(b *testing.B) {
			s := benchStore(b, Config{Dir: b.TempDir(), Clustered: true}, 0)
			m := newMaker(1024, 1)
			perMessage(b, count, func() { s.storeAll(b, m, count) })
		})
		b.Run(fmt.Sprintf("batch=%d/entries", count), func(b *testing.B) {
			s := benchStore(b, Config{Dir: b.TempDir(), Clustered: true}, 0)
			m := newMaker(1024, 1)
			perMessage(b, count, s.entries(b, m, count, partitions, size))
		})
	}
}

// entries returns what appends count messages in entries and waits until they are
// stored. Room i is of partition i modulo partitions.
func (s *bench) entries(b *testing.B, m *maker, count, partitions, size int) func() {
	records := make([]shard.Record, 0, size)
	n := 0
	return func() {
		for left := count; left > 0; left -= size {
			p := shard.Place{Partition: n % partitions, Epoch: 1, N: uint64(n/partitions) + 1}
			n++
			records = records[:0]
			for range size {
				records = append(records, m.of(m.chance.IntN(len(m.rooms)/partitions)*partitions+p.Partition))
			}
			if !s.AppendEntry(records, p) {
				b.Fatal("refused")
			}
		}
		for s.Stats().Queue > 0 {
			<-s.told
		}
	}
}

// filled is a Store with messages in entries.
func filled(b *testing.B, messages int) *bench {
	s := benchStore(b, Config{Dir: b.TempDir(), Clustered: true}, 0)
	more := s.entries(b, newMaker(1024, 1), 1024, 64, 8)
	for range messages / 1024 {
		more()
	}
	return s
}

// BenchmarkStored reads the newest 4 MiB of a partition, one after another.
func BenchmarkStored(b *testing.B) {
	const share = 1 << 14 // of each partition, which is less
	s := filled(b, 64*share)
	partition := 0
	perMessage(b, share, func() {
		got, _, err := s.Stored(context.Background(), partition%64, 0, 4<<20)
		if err != nil || len(got) != share {
			b.Fatalf("got %d messages, %v", len(got), err)
		}
		partition++
	})
}

// BenchmarkStore_Copy makes a copy and a database of it; each op is all messages.
func BenchmarkStore_Copy(b *testing.B) {
	const messages = 1 << 20
	s := filled(b, messages)
	b.Run("backup", func(b *testing.B) {
		perMessage(b, messages, func() {
			if err := s.Backup(context.Background(), io.Discard); err != nil {
				b.Fatal(err)
			}
		})
	})
	b.Run("restore", func(b *testing.B) {
		perMessage(b, messages, func() {
			r, w := io.Pipe()
			go func() { w.CloseWithError(s.Backup(context.Background(), w)) }()
			if err := Restore(context.Background(), b.TempDir(), r); err != nil {
				b.Fatal(err)
			}
		})
	})
}
