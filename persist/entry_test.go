package persist

import (
	"fmt"
	"math"
	"nebula/frame"
	"nebula/shard"
	"slices"
	"testing"

	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// Entries of these tests follow from their partition and number: entryRecords makes
// them, wantEntries checks them.
const testEpoch = 5

func entryRoom(partition, i int) string { return fmt.Sprintf("room-%d-%d", partition, i) }

// entrySize is how many messages an entry has, one a room.
func entrySize(p shard.Place) int { return int(p.N*7+uint64(p.Partition)) % 5 }

func entryRecords(p shard.Place) (records []shard.Record) {
	for i := entrySize(p) - 1; i >= 0; i-- { // not in the order of rooms
		r := record(entryRoom(p.Partition, i), p.Epoch, p.N, 1_700_000_000_000)
		records = append(records, r)
	}
	return records
}

func releaseRecords(records []shard.Record) {
	for i := range records {
		records[i].Body.Release()
	}
}

// placed is the place of entry n of a partition.
func placed(partition int, n uint64) shard.Place {
	return shard.Place{Partition: partition, Epoch: testEpoch, N: n}
}

// clustered is config for a node of a cluster.
func clustered(t *testing.T) Config {
	cfg := config(t)
	cfg.Clustered = true
	return cfg
}

// appendEntries appends entries from..to of a partition; none may be refused.
func (h *harness) appendEntries(partition int, from, to uint64) {
	h.t.Helper()
	for n := from; n <= to; n++ {
		p := placed(partition, n)
		if !h.AppendEntry(entryRecords(p), p) {
			h.t.Fatalf("entry %d was refused", n)
		}
	}
}

// awaitPlace waits until an entry is stored.
func (h *harness) awaitPlace(p shard.Place) {
	h.t.Helper()
	eventually(h.t, fmt.Sprintf("place %v", p), func() bool {
		epoch, n := h.Place(p.Partition)
		return epoch == p.Epoch && n == p.N
	})
}

// wantEntries checks that a database holds exactly the entries up to each place.
func wantEntries(c *sqlite.Conn, at []shard.Place) error {
	all, err := placesOf(c)
	if err != nil {
		return err
	}
	count := make(map[place]int)
	for _, p := range all {
		count[p]++
	}
	for _, last := range at {
		for n := uint64(1); n <= last.N; n++ {
			for i := range entrySize(placed(last.Partition, n)) {
				p := place{entryRoom(last.Partition, i), testEpoch, n}
				if count[p] != 1 {
					return fmt.Errorf("%v is stored %d times, below %v", p, count[p], last)
				}
				delete(count, p)
			}
		}
	}
	if len(count) > 0 {
		return fmt.Errorf("above %v are %v", at, count)
	}
	return nil
}

func (h *harness) wantEntries(at ...shard.Place) {
	h.t.Helper()
	for _, p := range at {
		if epoch, n := h.Place(p.Partition); n != p.N || n > 0 && epoch != p.Epoch {
			h.t.Errorf("partition %d: got place (%d, %d), want %v", p.Partition, epoch, n, p)
		}
	}
	if err := wantEntries(h.looker(), at); err != nil {
		h.t.Error(err)
	}
}

// Entries are stored with their places, also those without messages; a restart knows
// both and the epoch, and gives none of its own. What comes again changes nothing.
func TestAppendEntry_PlacesSurviveAndRepeatsChangeNothing(t *testing.T) {
	cfg := clustered(t)
	h := start(t, cfg)
	if h.Epoch() != 0 || len(h.Epochs()) != 0 {
		t.Errorf("got epoch %d, epochs %v of an empty folder", h.Epoch(), h.Epochs())
	}
	h.appendEntries(3, 1, 500)
	h.appendEntries(0, 1, 5)
	h.awaitPlace(placed(0, 5))
	h.wantEntries(placed(3, 500), placed(0, 5), placed(1, 0))
	h.close()

	h = start(t, cfg)
	if got := h.Epochs(); !slices.Equal(got, []uint64{testEpoch}) || h.Epoch() != testEpoch {
		t.Errorf("got epochs %v, want the one of the entries", got)
	}
	h.wantEntries(placed(3, 500), placed(0, 5))
	h.appendEntries(3, 450, 510)
	h.awaitPlace(placed(3, 510))
	h.wantEntries(placed(3, 510), placed(0, 5))
	if n := h.Stats().Errors; n != 0 {
		t.Errorf("got %d errors", n)
	}
}

// A repeated entry is told of like a new one: its acks wait for that.
func TestAppendEntry_TellsOfRepeats(t *testing.T) {
	h := start(t, clustered(t))
	p := placed(0, 2) // 4 messages
	for range 2 {
		if !h.AppendEntry(entryRecords(p), p) {
			t.Fatal("refused")
		}
		for i := 3; i >= 0; i-- { // as the rooms were made
			if n := <-h.notices; n != (shard.Notice{Shard: 7, Room: entryRoom(0, i), Epoch: testEpoch, Seq: 2}) {
				t.Errorf("got %v", n)
			}
		}
	}
}

// What does not fit is refused whole and leaves nothing; what is larger than the
// queue is taken when that is empty.
func TestAppendEntry_AllOrNothing(t *testing.T) {
	cfg := clustered(t)
	cfg.Queue = 10
	disk := fail(t, cfg.Dir, diskWrite, lib.SQLITE_FULL)
	h := start(t, cfg)
	disk.on.Store(true)
	h.appendEntries(0, 2, 3) // 4 and 1
	h.appendEntries(1, 1, 1) // 3
	big := entryRecords(placed(0, 7))
	if len(big) != 4 {
		t.Fatalf("the test has %d messages", len(big))
	}
	live := frame.Live()
	if h.AppendEntry(big, placed(0, 7)) {
		t.Error("took 4 where there is room for 2")
	}
	if frame.Live() != live || h.Stats().Queue != 8 {
		t.Errorf("got %d buffers, want %d; %d in the queue", frame.Live(), live, h.Stats().Queue)
	}
	if !h.AppendEntry(nil, placed(2, 1)) || !h.AppendEntry(nil, placed(2, 2)) || h.AppendEntry(nil, placed(2, 3)) {
		t.Error("entries without messages do not count")
	}
	disk.on.Store(false)
	h.awaitPlace(placed(2, 2))
	if _, n := h.Place(0); n != 3 {
		t.Errorf("got place %d, want 3", n)
	}
	if n := number(t, h.looker(), rowsSQL); n != 8 {
		t.Errorf("got %d messages, want 8", n)
	}
	for i := range uint64(16) {
		big = append(big, record("a room", testEpoch, i+1, 0))
	}
	if !h.AppendEntry(big, placed(0, 7)) {
		t.Fatal("20 messages were refused by an empty queue of 10")
	}
	h.awaitPlace(placed(0, 7))
	store := h.Store
	h.close()
	if r := entryRecords(placed(0, 8)); store.AppendEntry(r, placed(0, 8)) {
		t.Error("took an entry after Close")
	} else {
		releaseRecords(r)
	}
}

// An entry that is larger than a batch is committed at once all the same.
func TestAppendEntry_LargerThanABatch(t *testing.T) {
	h := open(t, clustered(t))
	h.say("lobby", 1, maxBatch-1)
	var records []shard.Record
	for seq := uint64(1); seq <= 3*maxBatch; seq++ {
		records = append(records, record(fmt.Sprintf("room %d", seq%7), testEpoch, seq, 0))
	}
	if !h.AppendEntry(records, placed(0, 1)) || !h.AppendEntry(nil, placed(0, 2)) {
		t.Fatal("refused")
	}
	h.start()
	h.awaitPlace(placed(0, 2))
	_, counts, sum := h.Stats().Batch.Snapshot()
	if sum != 4*maxBatch || counts[0] != 1 {
		t.Errorf("got %v items in transactions of %v, want all but the last in one", sum, counts)
	}
	if n := number(t, h.looker(), rowsSQL); n != 4*maxBatch-1 {
		t.Errorf("got %d messages", n)
	}
}

// A commit that fails is tried again, with places, chain and epochs.
func TestAppendEntry_AfterAFailingCommit(t *testing.T) {
	cfg := clustered(t)
	disk := fail(t, cfg.Dir, diskWrite, lib.SQLITE_FULL)
	h := start(t, cfg)
	h.appendEntries(0, 1, 20)
	h.awaitPlace(placed(0, 20))
	disk.on.Store(true)
	h.appendEntries(0, 21, 40)
	h.appendEntries(1, 1, 20)
	if !h.AppendEntry(nil, shard.Place{Partition: 2, Epoch: testEpoch + 1, N: 1}) {
		t.Fatal("refused")
	}
	eventually(t, "two attempts", func() bool { return disk.tried.Load() >= 2 })
	h.wantEntries(placed(0, 20), placed(1, 0))
	disk.on.Store(false)
	h.awaitPlace(shard.Place{Partition: 2, Epoch: testEpoch + 1, N: 1})
	h.wantEntries(placed(0, 40), placed(1, 20))
	h.wantStored(0, 0, math.MaxInt, 1, 40)
	h.wantStored(1, 0, math.MaxInt, 1, 20)
	h.close()
	if got := open(t, cfg).Epochs(); !slices.Equal(got, []uint64{testEpoch, testEpoch + 1}) {
		t.Errorf("got epochs %v", got)
	}
}

// A notice names a room's newest place, which is not that of the highest seq.
func TestAppendEntry_TellsTheNewestPlace(t *testing.T) {
	h := open(t, clustered(t))
	for i, at := range []shard.Pos{{Epoch: 5, Seq: 9}, {Epoch: 6, Seq: 3}} {
		r := record("lobby", at.Epoch, at.Seq, 0)
		if !h.AppendEntry([]shard.Record{r}, shard.Place{Epoch: at.Epoch, N: uint64(i + 1)}) {
			t.Fatal("refused")
		}
	}
	h.start()
	if got, want := <-h.notices, (shard.Notice{Shard: 7, Room: "lobby", Epoch: 6, Seq: 3}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// An entry of a newer epoch moves the place though its number is lower, an older one
// never.
func TestAppendEntry_PlacesCompareByEpochFirst(t *testing.T) {
	h := start(t, clustered(t))
	h.appendEntries(0, 1, 10)
	forked := shard.Place{Partition: 0, Epoch: testEpoch + 1, N: 9}
	for _, p := range []shard.Place{forked, placed(0, 12), {Partition: 1, Epoch: 1, N: 1}} {
		if !h.AppendEntry(nil, p) {
			t.Fatal("refused")
		}
	}
	h.awaitPlace(shard.Place{Partition: 1, Epoch: 1, N: 1})
	if epoch, n := h.Place(0); epoch != forked.Epoch || n != forked.N {
		t.Errorf("got (%d, %d), want %v", epoch, n, forked)
	}
}
