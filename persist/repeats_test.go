package persist

import (
	"nebula/shard"
	"slices"
	"testing"
)

// restored is message seq of a room as of an older epoch.
func restored(room string, epoch, seq uint64) shard.Record {
	r := record(room, epoch, seq, 1_600_000_000_000)
	r.Restored = true
	return r
}

// as gives a record another place.
func as(r shard.Record, epoch, seq uint64) shard.Record {
	r.Epoch, r.Seq = epoch, seq
	return r
}

// entry appends an entry and awaits it.
func (h *harness) entry(p shard.Place, records ...shard.Record) {
	h.t.Helper()
	if !h.AppendEntry(records, p) {
		h.t.Fatal("refused")
	}
	h.awaitPlace(p)
}

func (h *harness) wantPlaces(room string, want ...shard.Pos) {
	h.t.Helper()
	if got := places(h.t, h.looker(), room); !slices.Equal(got, want) {
		h.t.Errorf("%s: got %v, want %v", room, got, want)
	}
}

// A Restored message is stored in its own place, before newer ones, and told of by
// itself: its seq says nothing about theirs.
func TestRestored_InItsPlace(t *testing.T) {
	cfg := clustered(t)
	h := start(t, cfg)
	h.entry(placed(0, 1), record("lobby", 5, 1, 0), record("lobby", 5, 2, 0))
	h.entry(shard.Place{Epoch: 6, N: 2}, record("lobby", 6, 3, 0))
	for len(h.notices) > 0 {
		<-h.notices
	}
	late := restored("lobby", 5, 9)
	h.entry(shard.Place{Epoch: 6, N: 3}, late, record("lobby", 6, 4, 0), restored("other", 4, 1))
	var got []shard.Notice
	for len(got) < 3 {
		got = append(got, <-h.notices)
	}
	want := []shard.Notice{
		{Shard: 7, Room: "lobby", Hash: late.Hash},
		{Shard: 7, Room: "lobby", Epoch: 6, Seq: 4},
		{Shard: 7, Room: "other", Hash: restoredHash("other", 1)},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	h.wantPlaces("lobby", shard.Pos{Epoch: 5, Seq: 1}, shard.Pos{Epoch: 5, Seq: 2}, shard.Pos{Epoch: 5, Seq: 9}, shard.Pos{Epoch: 6, Seq: 3}, shard.Pos{Epoch: 6, Seq: 4})
	a := h.load("lobby")
	if a.Last != (shard.Pos{Epoch: 6, Seq: 4}) || len(a.Messages) != 5 || a.Messages[2].Seq() != 9 {
		t.Errorf("got last %v, %d messages", a.Last, len(a.Messages))
	}
	release(a)
	h.close()
	if got := open(t, cfg).Epochs(); !slices.Equal(got, []uint64{4, 5, 6}) {
		t.Errorf("got epochs %v, want those of restored messages too", got)
	}
}

func restoredHash(room string, seq uint64) uint64 {
	r := restored(room, 1, seq)
	r.Body.Release()
	return r.Hash
}

// A message that the room has elsewhere is dropped, within one transaction too; who has
// it at both places keeps the later one, so that all nodes end with the same.
func TestRestored_ARepeatIsDropped(t *testing.T) {
	h := start(t, clustered(t))
	h.entry(placed(0, 1), record("lobby", 5, 1, 0), record("both", 5, 1, 0))
	// Elsewhere, the message 7 has got its place again.
	h.entry(shard.Place{Epoch: 6, N: 2}, as(record("lobby", 6, 7, 0), 6, 2), as(record("both", 6, 1, 0), 6, 2))
	for n := uint64(3); n <= 4; n++ { // the second time changes nothing
		h.entry(shard.Place{Epoch: 6, N: n},
			restored("lobby", 5, 7), restored("lobby", 5, 1), restored("both", 5, 1),
			as(record("new", 6, 3, 0), 6, 1), restored("new", 5, 3))
		h.wantPlaces("lobby", shard.Pos{Epoch: 5, Seq: 1}, shard.Pos{Epoch: 6, Seq: 2})
		h.wantPlaces("new", shard.Pos{Epoch: 6, Seq: 1})
		if texts := number(t, h.looker(), textsSQL); texts != 4 {
			t.Errorf("got %d messages with text, want 4: one of both is gone", texts)
		}
		a := h.load("both")
		if len(a.Messages) != 1 || a.Epochs[0] != 6 {
			t.Errorf("got epochs %v of both", a.Epochs)
		}
		release(a)
	}
	if n := number(t, h.looker(), "SELECT value FROM counter WHERE name = 'removed'"); n != 1 {
		t.Errorf("%d are counted as removed, want 1", n)
	}
	if h.Stats().Errors != 0 {
		t.Error("a repeat is no error")
	}
}

// What comes too late for Config.Retain is but a tombstone. The newest row stays, so
// that its number is not given twice.
func TestRestored_BelowTheLimit(t *testing.T) {
	cfg := clustered(t)
	cfg.Retain = 10
	h := startRetaining(t, cfg)
	var records []shard.Record
	for seq := uint64(1); seq <= windowIDs+100; seq++ {
		records = append(records, record("b", 5, seq, 0))
	}
	h.entry(placed(0, 1), append([]shard.Record{record("a", 5, 1, 0)}, records...)...)
	h.entry(placed(0, 2), record("a", 5, 2, 0), record("b", 5, windowIDs+101, 0))
	look := h.looker()
	eventually(t, "texts are removed", func() bool { return number(t, look, textsSQL) == 2+10 })
	newest := number(t, look, "SELECT max(n) FROM message") + 1
	removed := number(t, look, "SELECT value FROM counter WHERE name = 'removed'")
	h.entry(placed(0, 3), restored("b", 4, 1))
	if n := number(t, look, textsSQL); n != 2+10 {
		t.Errorf("got %d texts: what is beyond the limit is kept", n)
	}
	if n := number(t, look, "SELECT value FROM counter WHERE name = 'removed'"); n != removed+1 {
		t.Errorf("%d are counted as removed, want %d", n, removed+1)
	}
	h.close() // removes what it can
	h = startRetaining(t, cfg)
	if n := number(t, h.looker(), "SELECT max(n) FROM message"); n != newest {
		t.Errorf("the newest row is %d, want %d", n, newest)
	}
	if _, messages := h.Counts(); messages != 2+10 {
		t.Errorf("got %d messages, want 12", messages)
	}
}
