package persist

import (
	"context"
	"errors"
	"fmt"
	"math"
	"nebula/shard"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func (h *harness) stored(partition int, after uint64, maxBytes int) ([]StoredMessage, uint64) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got, since, err := h.Stored(ctx, partition, after, maxBytes)
	if err != nil {
		h.t.Fatal(err)
	}
	return got, since
}

// wantStored checks that Stored returns exactly what entries from..to brought, in
// order, and since.
func (h *harness) wantStored(partition int, after uint64, maxBytes int, from, to uint64) {
	h.t.Helper()
	got, since := h.stored(partition, after, maxBytes)
	if want := max(after, from-1); since != want {
		h.t.Errorf("partition %d after %d: got since %d, want %d", partition, after, since, want)
	}
	var want []StoredMessage
	for n := from; n <= to; n++ {
		want = append(want, entryStored(placed(partition, n))...)
	}
	sortEntries(got)
	sortEntries(want)
	if !slices.Equal(got, want) {
		h.t.Errorf("partition %d after %d: got %d messages, want %d", partition, after, len(got), len(want))
	}
}

// sortEntries fails no order but that of rooms within an entry, which nobody promises.
func sortEntries(all []StoredMessage) {
	slices.SortStableFunc(all, func(a, b StoredMessage) int {
		if a.Entry != b.Entry {
			return 0
		}
		return strings.Compare(a.Room, b.Room)
	})
}

func entryStored(p shard.Place) (all []StoredMessage) {
	records := entryRecords(p)
	defer releaseRecords(records)
	for i := range records {
		all = append(all, asStored(&records[i], p))
	}
	return all
}

func asStored(r *shard.Record, p shard.Place) StoredMessage {
	return StoredMessage{
		Entry: p, Room: r.Room, Epoch: r.Epoch, Seq: r.Seq, Milli: r.Milli, Hash: r.Hash,
		User: r.User, Name: r.Name, ID: string(r.Body.ID()), Text: string(r.Body.Text()),
	}
}

// Everything above after comes back, whatever it shared its transactions with, after a
// restart too.
func TestStored_IsExact(t *testing.T) {
	cfg := clustered(t)
	h := open(t, cfg)
	h.writer.pace = 0
	h.start()
	for n := uint64(1); n <= 200; n++ { // transactions of many sizes
		for p := range 8 {
			h.appendEntries(p, n, n)
		}
		if n%17 == 0 {
			h.awaitPlace(placed(7, n))
		}
	}
	h.awaitPlace(placed(7, 200))
	for range 2 {
		for p := range 8 {
			for _, after := range []uint64{0, 1, 100, 199, 200, 1000} {
				h.wantStored(p, after, math.MaxInt, min(after, 200)+1, 200)
			}
		}
		if got, since := h.stored(9, 3, 1000); len(got) != 0 || since != 3 {
			t.Errorf("got %d messages since %d of a partition that is not there", len(got), since)
		}
		h.close()
		h = start(t, cfg)
	}
}

// What does not fit is left out entry by entry, and since tells.
func TestStored_KeepsToMaxBytes(t *testing.T) {
	h := start(t, clustered(t))
	h.appendEntries(0, 1, 300)
	h.awaitPlace(placed(0, 300))
	all, _ := h.stored(0, 0, math.MaxInt)
	size := 0
	for _, m := range all {
		size += len(m.Room) + len(m.User) + len(m.Name) + len(m.ID) + len(m.Text) + messageBytes
	}
	for _, maxBytes := range []int{1, 1000, size / 2, size - 1, size} {
		got, since := h.stored(0, 0, maxBytes)
		h.wantStored(0, 0, maxBytes, since+1, 300)
		used := size * len(got) / len(all)
		if len(got) == 0 || used > maxBytes+1000 || used < maxBytes-1000 {
			t.Errorf("got %d messages, about %d bytes, want about %d", len(got), used, maxBytes)
		}
	}
	if got, since := h.stored(0, 0, 0); len(got) != 0 || since != 299 { // entry 300 has none
		t.Errorf("got %d messages since %d for no byte", len(got), since)
	}
}

// A Restored message is of the entry that brought it, one that was dropped of none.
func TestStored_Restored(t *testing.T) {
	h := start(t, clustered(t))
	h.entry(placed(0, 1), record("lobby", 5, 1, 0))
	p := shard.Place{Epoch: 6, N: 2}
	late := restored("lobby", 5, 2)
	want := []StoredMessage{asStored(&late, p)}
	h.entry(p, late, as(restored("lobby", 5, 1), 5, 9))
	if got, since := h.stored(0, 1, math.MaxInt); !slices.Equal(got, want) || since != 1 {
		t.Errorf("got %v since %d", got, since)
	}
}

// When the log goes back, what was above is not offered again under its numbers.
func TestStored_AfterAFork(t *testing.T) {
	h := start(t, clustered(t))
	h.appendEntries(0, 1, 10)
	for n := uint64(9); n <= 12; n++ {
		p := shard.Place{Epoch: 6, N: n}
		h.entry(p, record("lobby", 6, n, 0))
	}
	got, since := h.stored(0, 5, math.MaxInt)
	if since != 10 || len(got) != 2 || got[0].Seq != 11 || got[1].Seq != 12 {
		t.Errorf("got %v since %d", got, since)
	}
}

// Plain records and repeated entries are no part of it.
func TestStored_OnlyWhatEntriesBrought(t *testing.T) {
	h := open(t, clustered(t))
	h.say("lobby", 1, 10)
	h.appendEntries(7, 1, 20)
	h.say("lobby", 11, 20)
	h.appendEntries(7, 10, 30)
	h.start()
	h.awaitPlace(placed(7, 30))
	h.appendEntries(7, 25, 40)
	h.awaitPlace(placed(7, 40))
	h.wantStored(7, 0, math.MaxInt, 1, 40)
}

// Config.Retain takes rows out of a chain; what is left is exact all the same.
func TestStored_BesideRetain(t *testing.T) {
	cfg := clustered(t)
	cfg.Retain = 10
	h := startRetaining(t, cfg)
	say := func(from, to uint64) {
		for n := from; n <= to; n++ {
			var records []shard.Record
			for i := range uint64(3) {
				records = append(records, record("busy", testEpoch, 3*n+i, h.clock.Load()/1e6))
			}
			if !h.AppendEntry(append(records, record("quiet", testEpoch, n, h.clock.Load()/1e6)), placed(0, n)) {
				t.Fatal("refused")
			}
		}
		h.awaitPlace(placed(0, to))
	}
	say(1, 400)
	look := h.looker()
	eventually(t, "texts are removed", func() bool { return number(t, look, textsSQL) == 20 })
	got, since := h.stored(0, 0, math.MaxInt)
	if since != 0 || len(got) != 20 { // the rows are there as tombstones
		t.Errorf("got %d messages since %d, want the 20 that are kept", len(got), since)
	}
	h.clock.Add(int64(windowFor + 2*time.Minute))
	say(401, 405)
	eventually(t, "rows are removed", func() bool {
		return number(t, look, rowsSQL+" WHERE room = 1") == windowIDs
	})
	got, since = h.stored(0, 0, math.MaxInt)
	if since == 0 || since > 400 {
		t.Errorf("got since %d, want one below which rows are missing", since)
	}
	for _, m := range got {
		if m.Entry.N <= since {
			t.Errorf("got %v at or below %d", m, since)
		}
	}
	if n := len(got); n != 20 {
		t.Errorf("got %d messages, want 20", n)
	}
}

// Stored keeps to its context and ends with the Store.
func TestStored_Ends(t *testing.T) {
	h := start(t, clustered(t))
	h.appendEntries(0, 1, 10)
	h.awaitPlace(placed(0, 10))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, since, err := h.Stored(ctx, 0, 3, 1000); !errors.Is(err, context.Canceled) || since != 3 {
		t.Errorf("got %v, since %d", err, since)
	}
	for range maxRecalls {
		h.guests.recalls <- struct{}{}
	}
	waits, store := make(chan error), h.Store
	go func() {
		_, _, err := store.Stored(context.Background(), 0, 0, 1000)
		waits <- err
	}()
	h.close()
	if err := <-waits; err == nil {
		t.Error("got no error from a Store that closed")
	}
}

// All partitions at once, while entries come.
func TestStored_ManyAtOnce(t *testing.T) {
	h := start(t, clustered(t))
	var wg sync.WaitGroup
	for p := range 16 {
		h.appendEntries(p, 1, 20)
		wg.Go(func() {
			for end := time.Now().Add(patience); time.Now().Before(end); {
				got, _, err := h.Stored(context.Background(), p, 10, math.MaxInt)
				if err != nil {
					t.Error(err)
					return
				}
				if len(got) > 0 && got[len(got)-1].Entry.N >= 19 { // one of both has messages
					return
				}
			}
			t.Error(fmt.Errorf("partition %d never came", p))
		})
	}
	wg.Wait()
}
