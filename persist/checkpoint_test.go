package persist

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	lib "modernc.org/sqlite/lib"
	"zombiezen.com/go/sqlite"
)

// startCheckpointing starts a Store with a short log.
func startCheckpointing(t *testing.T) *harness {
	cfg := config(t)
	cfg.Queue = 50
	testDisk.on(t, cfg.Dir, func(c diskCall) int32 {
		if c.op == diskSync && filepath.Base(c.path) == databaseFile {
			time.Sleep(5 * time.Millisecond) // so that a commit comes meanwhile
		}
		return lib.SQLITE_OK
	})
	h := open(t, cfg)
	h.checkpointer.logPages, h.checkpointer.logCap = 32, 128
	h.start()
	return h
}

func (h *harness) logSize() int64 {
	h.t.Helper()
	info, err := os.Stat(h.path + "-wal")
	if err != nil {
		h.t.Fatal(err)
	}
	return info.Size()
}

// Under steady writing, and with a disk that is slow to sync, the log is made to
// start over: it never shrinks, so its size is the longest that it was.
func TestCheckpointer_BoundsTheLog(t *testing.T) {
	h := startCheckpointing(t)
	for seq := uint64(1); seq <= 12_000; { // the queue is full all the time
		seq = h.fill("lobby", seq)
		runtime.Gosched()
	}
	if got, most := h.logSize(), int64(8*128*4096); got > most {
		t.Errorf("the log has %d bytes, want %d at most", got, most)
	}
}

// A reader that holds an old state holds up the log, but neither commits nor, once
// it is gone, anything else.
func TestCheckpointer_AReaderHoldsUpTheLogAlone(t *testing.T) {
	h := startCheckpointing(t)
	h.say("lobby", 1, 10)
	h.await("lobby", 10)
	look := h.looker()
	begin(t, look)
	for seq := uint64(11); seq <= 2010; seq += 10 {
		h.say("lobby", seq, seq+9)
		h.await("lobby", seq+9)
	}
	if n := number(t, look, rowsSQL); n != 10 {
		t.Errorf("the reader sees %d rows, want 10", n)
	}
	held := h.logSize()
	if held < 128*4096 {
		t.Errorf("the log has %d bytes while it is held", held)
	}
	if err := exec(look, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	round := h.logRound()
	for seq := uint64(2011); h.logRound() == round; seq += 10 {
		if seq > 50_000 {
			t.Fatalf("the log never started over; it went from %d to %d bytes", held, h.logSize())
		}
		h.say("lobby", seq, seq+9)
		h.await("lobby", seq+9)
	}
}

// logRound tells how often the log started over (sqlite.org/fileformat.html#walformat).
func (h *harness) logRound() uint32 {
	h.t.Helper()
	return binary.BigEndian.Uint32(read(h.t, h.path+"-wal")[12:])
}

func begin(t *testing.T, c *sqlite.Conn) {
	t.Helper()
	if err := exec(c, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	number(t, c, rowsSQL)
}
