package persist

import (
	"bufio"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"nebula/shard"
	"os"
	"testing"
	"time"
)

// childOfCluster appends entries to some partitions, from a few below each place on,
// and prints a line for each notice: room, epoch, seq.
func childOfCluster(dir string) error {
	s, err := Open(context.Background(), Config{Dir: dir, Queue: 100, Clustered: true})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	s.Start(func(notices []shard.Notice) {
		for _, n := range notices {
			fmt.Fprintln(out, n.Room, n.Epoch, n.Seq)
		}
		out.Flush()
	}, release)
	next := childPlaces(s)
	for i := range next {
		next[i].N -= min(next[i].N, 3)
	}
	for turn := 0; ; turn++ {
		p := &next[turn%childRooms]
		records := entryRecords(placed(p.Partition, p.N+1))
		if s.AppendEntry(records, placed(p.Partition, p.N+1)) {
			p.N++
			continue
		}
		releaseRecords(records)
		time.Sleep(time.Millisecond)
	}
}

// childPlaces are the places of a child's partitions.
func childPlaces(s *Store) (all []shard.Place) {
	for i := range childRooms {
		epoch, n := s.Place(i)
		all = append(all, shard.Place{Partition: i, Epoch: epoch, N: n})
	}
	return all
}

// Whenever the process is killed, each place is exactly what is stored, and no lower
// than what was told.
func TestAppendEntry_Kill(t *testing.T) {
	const kills = 6
	cfg := clustered(t)
	told := acked{}
	for range kills {
		killOne(t, cfg.Dir, "entries", 1+rand.IntN(200), told)
		h := open(t, cfg)
		at := childPlaces(h.Store)
		if err := wantEntries(h.conn, at); err != nil {
			t.Fatal(err)
		}
		for room, pos := range told {
			var partition, i int
			if _, err := fmt.Sscanf(room, "room-%d-%d", &partition, &i); err != nil {
				t.Fatal(err)
			}
			if at[partition].N < pos.Seq {
				t.Errorf("%s: %d was told, the place is %v", room, pos.Seq, at[partition])
			}
		}
		if got := h.Epochs(); len(got) != 1 || got[0] != testEpoch {
			t.Errorf("got epochs %v", got)
		}
		h.close()
	}
	h := start(t, cfg)
	for _, p := range childPlaces(h.Store) {
		h.wantStored(p.Partition, 0, math.MaxInt, 1, p.N)
	}
}
