package bus

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// closed is a partition whose epoch 9 is not open, on a bus that lost everything.
type closed struct {
	t *testing.T
	*server
}

func newClosed(t *testing.T) closed {
	c := closed{t, newServer(t)}
	c.raisedAgo(0)
	return c
}

// raisedAgo says since when the epoch is closed.
func (c closed) raisedAgo(d time.Duration) {
	c.must("HSET", "meta", "epoch", "9", "n", "0", "raised", strconv.FormatInt(time.Now().Add(-d).UnixMilli(), 10))
}

// put puts entries of epoch 5 back, all of them sure.
func (c closed) put(from, to int) string {
	c.t.Helper()
	var entries []string
	for n := from; n <= to; n++ {
		entries = append(entries, fmt.Sprintf("5-%d", n))
	}
	return c.putAfter("1", entries...)
}

// putAfter puts entries back; those that end with ? are not sure.
func (c closed) putAfter(had string, entries ...string) string {
	c.t.Helper()
	args := []string{"EVAL", putScript, "2", "meta", "log", "9", had}
	for _, e := range entries {
		id, unsure := strings.CutSuffix(e, "?")
		epoch, n, _ := strings.Cut(id, "-")
		sure := "1"
		if unsure {
			sure = "0"
		}
		args = append(args, n, epoch, sure, "bytes")
	}
	answer, err := c.ask(args...).AsIntSlice()
	if err != nil {
		return err.Error()
	}
	if got := fmt.Sprint(answer[0]); answer[1] == 1 {
		return got
	}
	return fmt.Sprint(answer[0], "?")
}

// confirm says that node b has done its share; a has not said so.
func (c closed) confirm(patience time.Duration) string {
	c.t.Helper()
	return c.must("EVAL", confirmScript, "2", "meta", "ready", "9", "b", strconv.FormatInt(patience.Milliseconds(), 10), "1", "0", "a")
}

// Two nodes that hold as many bytes begin at different entries: what is before the log's
// first one makes no fork, what is behind it does.
func TestPutScript_BeginsBeforeTheLog(t *testing.T) {
	t.Parallel()
	c := newClosed(t)
	for _, step := range []struct {
		from, to int
		want     string
	}{{107, 110, "110"}, {102, 112, "112"}, {102, 105, "112"}} {
		if got := c.put(step.from, step.to); got != step.want {
			t.Errorf("entries %d to %d: got %s, want %s", step.from, step.to, got, step.want)
		}
	}
	if got := c.must("XLEN", "log"); got != "6" {
		t.Errorf("the log has %s entries, want 107 to 112", got)
	}
	c.must("XDEL", "log", "5-109")
	if got := c.put(108, 113); !strings.Contains(got, "FORK 5-109") {
		t.Errorf("got %s, want a fork: the log has no 109", got)
	}
}

// A node that is not sure of an entry may not go on where another node put one in its
// place: that one may be of another past, and hold messages that this node never saw.
func TestPutScript_NothingFollowsOnAnEntryOfAnother(t *testing.T) {
	t.Parallel()
	c := newClosed(t)
	for _, step := range []struct {
		had     string
		entries []string
		want    string
	}{
		{"1", []string{"5-1", "5-2", "5-3"}, "3"},
		{"1", []string{"5-1", "5-2", "5-3?", "6-4"}, "FORK 5-3"},
		{"1", []string{"5-1", "5-2?"}, "3?"},
		{"0", []string{"5-3", "5-4?"}, "4"}, // it is sure of 3, and 4 is its own
		{"0", []string{"6-5"}, "FORK 5-4"},
		{"1", []string{"6-5"}, "5"},
		{"1", []string{"6-5", "6-6?", "6-7"}, "7"},
	} {
		if got := c.putAfter(step.had, step.entries...); got != step.want {
			t.Errorf("%v: got %s, want %s", step.entries, got, step.want)
		}
	}
}

// An entry without messages is of the epoch that the bounds tell, if they know where the
// next epoch began that the node holds something of.
func TestLostEntries_Sure(t *testing.T) {
	for name, bounds := range map[string]map[uint64]uint64{
		"5-2? 6-3 6-4":  {},
		"5-2? 6-3 6-4 ": {5: 1},
		"6-2 6-3 6-4":   {5: 1, 6: 2},
		"5-2 6-3 6-4":   {5: 1, 6: 3},
	} {
		l := lostEntries{
			kept: []Kept{{Entry: Pos{Epoch: 6, N: 3}}}, bounds: bounds, next: 2, place: Pos{Epoch: 6, N: 4}, epoch: 5,
		}
		var got []string
		for l.next <= l.place.N {
			e, sure := l.take()
			id := e.id()
			if sure == "0" {
				id += "?"
			}
			got = append(got, id)
		}
		if want := strings.TrimSpace(name); strings.Join(got, " ") != want {
			t.Errorf("bounds %v: got %v, want %s", bounds, got, want)
		}
	}
}

// Who has patience waits as long as another one is at work, but not for ever.
func TestConfirmScript_WaitsForWhoIsAtWork(t *testing.T) {
	t.Parallel()
	const patience = 10 * time.Second
	c := newClosed(t)
	c.raisedAgo(2 * patience)
	if got := c.put(1, 0); got != "0" { // it reads its database
		t.Fatal(got)
	}
	if got := c.confirm(patience); got != "WAIT" {
		t.Errorf("one begins its work: got %s, want WAIT", got)
	}
	c.must("HDEL", "meta", "worked")
	c.put(1, 3)
	if got := c.confirm(patience); got != "WAIT" {
		t.Errorf("one is at work: got %s, want WAIT", got)
	}
	c.raisedAgo(10 * patience)
	if got := c.confirm(patience); !strings.HasPrefix(got, "GO ") {
		t.Errorf("one is at work for too long: got %s, want GO", got)
	}
	c.must("HDEL", "meta", "go", "worked")
	c.raisedAgo(2 * patience)
	if got := c.confirm(patience); !strings.HasPrefix(got, "GO ") {
		t.Errorf("nobody is at work: got %s, want GO", got)
	}
}
