package bus

import (
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
	args := []string{"EVAL", putScript, "2", "meta", "log", "9"}
	for n := from; n <= to; n++ {
		args = append(args, strconv.Itoa(n), "5", "1", "bytes")
	}
	m, err := c.ask(args...).ToMessage()
	if err != nil {
		return err.Error()
	}
	n, err := m.ToInt64()
	if err != nil {
		c.t.Fatal(err)
	}
	return strconv.FormatInt(n, 10)
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
