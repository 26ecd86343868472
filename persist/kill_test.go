package persist

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"nebula/shard"
	"os"
	osexec "os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
)

// childEnv makes the test binary a process that stores messages until it is killed.
// Its value is the folder.
const childEnv = "PERSIST_TEST_CHILD"

const childRooms = 8

func childRoom(i int) string { return fmt.Sprintf("room-%d", i) }

// childKindEnv, if it is not empty, makes the child store entries.
const childKindEnv = "PERSIST_TEST_CHILD_KIND"

// child goes on where each room ended, as fast as the Store takes it, and prints a
// line for each notice: room, epoch, seq.
func child(dir string) error {
	if os.Getenv(childKindEnv) != "" {
		return childOfCluster(dir)
	}
	s, err := Open(context.Background(), Config{Dir: dir, Queue: 100})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	answers := make(chan shard.Answer, childRooms)
	s.Start(func(notices []shard.Notice) {
		for _, n := range notices {
			fmt.Fprintln(out, n.Room, s.Epoch(), n.Seq)
		}
		out.Flush()
	}, func(a shard.Answer) { answers <- a })
	var next [childRooms]uint64
	for i := range next {
		s.Replay(shard.Request{Kind: shard.Load, Room: childRoom(i)})
		a := <-answers
		release(a)
		next[i] = a.Last.Seq + 1
	}
	for turn := 0; ; turn++ {
		i := turn % childRooms
		r := record(childRoom(i), s.Epoch(), next[i], time.Now().UnixMilli())
		if s.Append(r) {
			next[i]++
			continue
		}
		r.Body.Release()
		time.Sleep(time.Millisecond)
	}
}

// acked is what children were told, by room: the highest place.
type acked map[string]shard.Pos

// killOne starts a child, lets it be told of count notices and kills it. All that it
// printed counts, what came after the signal was sent too.
func killOne(t *testing.T, dir, kind string, count int, told acked) {
	t.Helper()
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childKindEnv+"="+kind)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill := sync.OnceFunc(func() { cmd.Process.Kill() })
	patient := time.AfterFunc(patience, kill)
	lines := readNotices(t, out, told, func(lines int) {
		if lines == 1 {
			if _, err := Open(context.Background(), Config{Dir: dir}); !errors.Is(err, ErrLocked) {
				t.Errorf("beside the child: got %v, want ErrLocked", err)
			}
		}
		if lines == count {
			kill()
		}
	})
	patient.Stop()
	cmd.Wait()
	if lines < count {
		t.Fatalf("the child was told %d times, want %d", lines, count)
	}
}

// readNotices notes every whole line of out.
func readNotices(t *testing.T, out io.Reader, told acked, each func(lines int)) (lines int) {
	t.Helper()
	in := bufio.NewReader(out)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return lines // the child is dead; half a line is nothing that it told
		}
		var room string
		var at shard.Pos
		if _, err := fmt.Sscan(line, &room, &at.Epoch, &at.Seq); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		told[room] = at
		lines++
		each(lines)
	}
}

// places returns what a room holds, oldest first.
func places(t *testing.T, c *sqlite.Conn, room string) (all []shard.Pos) {
	t.Helper()
	stmt, err := c.Prepare("SELECT epoch, seq FROM message WHERE room = (SELECT id FROM room WHERE name = ?) ORDER BY epoch, seq")
	if err != nil {
		t.Fatal(err)
	}
	defer finalize(stmt)
	stmt.BindText(1, room)
	if err := rows(stmt, func() bool { all = append(all, posAt(stmt, 0)); return true }); err != nil {
		t.Fatal(err)
	}
	return all
}

// What was told is stored, whenever the process is killed; epochs rise; the seqs of a
// room go on over epochs without a hole.
func TestStore_Kill(t *testing.T) {
	const kills = 6
	cfg := config(t)
	told := acked{}
	for range kills {
		killOne(t, cfg.Dir, "", 1+rand.IntN(100), told)
		h := open(t, cfg)
		for room, at := range told {
			all := places(t, h.conn, room)
			for i, p := range all {
				if p.Seq != uint64(i+1) {
					t.Fatalf("%s: place %d is %v", room, i, p)
				}
			}
			if !slices.Contains(all, at) {
				t.Fatalf("%s: %v was told and is not there; it ends with %v", room, at, all[max(0, len(all)-1):])
			}
		}
		h.close()
	}
	h := open(t, cfg)
	want := map[string][]shard.Pos{}
	for i := range childRooms {
		want[childRoom(i)] = places(t, h.conn, childRoom(i))
	}
	h.start()
	if epochs := h.Epochs(); len(epochs) != 2*kills+1 || !slices.IsSorted(epochs) || len(slices.Compact(slices.Clone(epochs))) != len(epochs) {
		t.Errorf("got epochs %v", epochs)
	}
	for room, all := range want {
		h.walk(room, all)
	}
}

// walk pages through a room from its end to its begin, and compares.
func (h *harness) walk(room string, want []shard.Pos) {
	h.t.Helper()
	before, more := uint64(1<<53), true
	for more {
		a := h.ask(shard.Request{Kind: shard.Older, Room: room, Before: before, Limit: 200, MaxBytes: 1 << 20})
		more = a.More
		for i := len(a.Messages) - 1; i >= 0; i-- {
			before = a.Messages[i].Seq()
			got := shard.Pos{Epoch: a.Epochs[i], Seq: before}
			if len(want) == 0 || got != want[len(want)-1] {
				h.t.Fatalf("%s: got %v, want the last of %d", room, got, len(want))
			}
			want = want[:len(want)-1]
		}
		release(a)
	}
	if len(want) != 0 {
		h.t.Errorf("%s: %d messages were not found", room, len(want))
	}
}
