package persist

import (
	"context"
	"nebula/frame"
	"nebula/shard"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	lib "modernc.org/sqlite/lib"
)

// failing is a disk that refuses one kind of call while it is on.
type failing struct {
	on    atomic.Bool
	tried atomic.Int64
}

// fail makes calls of kind op in dir fail with a result code of SQLite.
func fail(t *testing.T, dir string, op diskOp, code int32) *failing {
	f := &failing{}
	testDisk.on(t, dir, func(c diskCall) int32 {
		if c.op != op || !f.on.Load() {
			return lib.SQLITE_OK
		}
		f.tried.Add(1)
		return code
	})
	return f
}

// eventually waits until what is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
	}
}

// fill appends to a room, from seq on, until the queue refuses, and returns the next
// seq.
func (h *harness) fill(room string, seq uint64) uint64 {
	for {
		r := h.record(room, seq)
		if !h.Append(r) {
			r.Body.Release()
			return seq
		}
		seq++
	}
}

func TestStore_KeepsTheBatchWhileTheDiskFails(t *testing.T) {
	for _, c := range []struct {
		name, durability string
		op               diskOp
		code             int32
		says             string
	}{
		{"full", "os", diskWrite, lib.SQLITE_FULL, "the disk is full"},
		{"full when synced", "disk", diskSync, lib.SQLITE_FULL, "the disk is full"},
		{"read-only", "os", diskWrite, lib.SQLITE_READONLY, "read-only"},
		{"a failing write", "os", diskWrite, lib.SQLITE_IOERR_WRITE, "I/O error"},
		{"a failing sync", "disk", diskSync, lib.SQLITE_IOERR_FSYNC, "I/O error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := config(t)
			cfg.Queue, cfg.Durability = 100, c.durability
			disk := fail(t, cfg.Dir, c.op, c.code)
			h := start(t, cfg)
			h.say("lobby", 1, 10)
			h.await("lobby", 10)
			disk.on.Store(true)
			next := h.fill("lobby", 11)
			if next != 111 {
				t.Errorf("the queue refused message %d, want 111", next)
			}
			live := frame.Live()
			eventually(t, "two attempts", func() bool { return disk.tried.Load() >= 2 })
			eventually(t, "Health tells", func() bool { return h.Health() != nil })
			if err := h.Health(); !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %q, want %q", err, c.says)
			}
			if h.fill("other", 1) != 1 || frame.Live() != live || len(h.notices) != 0 || h.Stats().Queue != 100 {
				t.Errorf("got %d buffers, want %d; %d notices; %d in the queue", frame.Live(), live, len(h.notices), h.Stats().Queue)
			}
			disk.on.Store(false)
			h.await("lobby", 110)
			wantMessages(t, h.load("lobby"), h.Epoch(), 1, 110)
			if err := h.Health(); err != nil || h.Stats().Errors == 0 {
				t.Errorf("got %v and %d errors", err, h.Stats().Errors)
			}
		})
	}
}

// A commit that hangs: nobody is told, readers go on, the queue fills, Health names
// it once it has hung for long, and then everything is as if nothing had been.
func TestStore_SlowCommit(t *testing.T) {
	cfg := config(t)
	cfg.Queue, cfg.Durability = 100, "disk"
	var slow atomic.Bool
	began, goOn := make(chan struct{}, 1), make(chan struct{})
	testDisk.on(t, cfg.Dir, func(c diskCall) int32 {
		if c.op == diskSync && slow.CompareAndSwap(true, false) {
			began <- struct{}{}
			<-goOn
		}
		return lib.SQLITE_OK
	})
	h := start(t, cfg)
	h.say("lobby", 1, 10)
	h.await("lobby", 10)
	slow.Store(true)
	h.say("lobby", 11, 11)
	<-began
	if next := h.fill("lobby", 12); next != 111 {
		t.Errorf("message %d was refused, want 111", next)
	}
	if err := h.Health(); err != nil {
		t.Errorf("got %v right away", err)
	}
	h.clock.Add(int64(hangsAfter + time.Second))
	if err := h.Health(); err == nil || !strings.Contains(err.Error(), "4s") {
		t.Errorf("got %v after %v", err, hangsAfter)
	}
	a := h.ask(shard.Request{Kind: shard.Older, Room: "lobby", Before: 1000, Limit: 50, MaxBytes: 1 << 20})
	wantMessages(t, a, h.Epoch(), 1, 10)
	if len(h.notices) != 0 {
		t.Error("told before the commit")
	}
	close(goOn)
	h.await("lobby", 110)
	wantMessages(t, h.load("lobby"), h.Epoch(), 1, 110)
	if err := h.Health(); err != nil {
		t.Error(err)
	}
}

// The queue holds 10,000. Close past its context gives up what a broken disk does
// not take, and says how much that is.
func TestStore_CloseGivesUp(t *testing.T) {
	cfg := config(t)
	disk := fail(t, cfg.Dir, diskWrite, lib.SQLITE_FULL)
	h := start(t, cfg)
	disk.on.Store(true)
	if next := h.fill("lobby", 1); next != 10_001 {
		t.Errorf("message %d was refused, want 10001", next)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := h.Close(ctx); err == nil || !strings.Contains(err.Error(), "10000 messages") {
		t.Errorf("got %v, want 10000 messages lost", err)
	}
	if r := h.record("lobby", 10_001); h.Append(r) {
		t.Error("took a message after Close")
	} else {
		r.Body.Release()
	}
	disk.on.Store(false)
	if len(h.notices) != 0 {
		t.Error("told of a commit that never was")
	}
}

// A file system that became read-only is told before a message is lost to it.
func TestStore_HealthSeesTheFileGo(t *testing.T) {
	cfg := config(t)
	h := start(t, cfg)
	if err := h.Health(); err != nil {
		t.Fatal(err)
	}
	move(t, h.path, h.path+".away")
	if err := h.Health(); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
	move(t, h.path+".away", h.path)
}
