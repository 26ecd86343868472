//go:build linux

package main

import (
	"fmt"
	"nebula/perf/wire"
	"slices"
	"strings"
	"testing"
)

const testText = 32 // bytes

// onPaper is a crowd without sockets: one room of two members on two nodes, where the
// first one has sent n messages.
func onPaper(n int) *crowd {
	c := &crowd{text: testText, unacked: 2, prefixes: []string{"a-", "b-"}, rooms: make([]room, 1), members: make([]member, 2)}
	c.rooms[0].name = "r"
	for i := range c.members {
		m := &c.members[i]
		m.room, m.node = &c.rooms[0], int32(i)
		m.stream.Start(0)
	}
	c.begin(plan{window: 0, end: 1e9, rate: 1})
	for range n {
		c.ledger.Send(5, 0, 0)
		c.members[0].unacked++
	}
	if n == c.unacked {
		c.free--
	}
	c.now = 7
	return c
}

// hears gives a member message n under a seq.
func (c *crowd) hears(member, n, seq int) {
	said := wire.AppendSay(nil, "r", "a-", uint64(n), 5, testText)
	text := fmt.Sprintf(`{"type":"message","seq":%d,"time":1,"user":"u","name":"n"%s`, seq, said[len(`{"type":"message"`):])
	c.event(&c.members[member], int32(member), []byte(text))
}

// acks gives a member an ack.
func (c *crowd) acks(member, n, seq int) {
	c.event(&c.members[member], int32(member), fmt.Appendf(nil, `{"type":"ack","room":"r","id":"a-%d","seq":%d,"time":1}`, n, seq))
}

func TestCrowd_JudgesWhatCame(t *testing.T) {
	both := func(c *crowd, n, seq int) {
		c.hears(0, n, seq)
		c.hears(1, n, seq)
		c.acks(0, n, seq)
	}
	for want, play := range map[string]func(c *crowd){
		"": func(c *crowd) { both(c, 0, 1); both(c, 1, 2) },
		"1 deliveries lost": func(c *crowd) {
			both(c, 0, 1)
			c.hears(0, 1, 2)
			c.acks(0, 1, 2)
		},
		"2 deliveries lost":                        func(c *crowd) { both(c, 0, 1); c.acks(0, 1, 2) },
		"1 deliveries doubled":                     func(c *crowd) { both(c, 0, 1); both(c, 1, 2); c.hears(1, 1, 2) },
		"1 deliveries misordered":                  func(c *crowd) { both(c, 0, 1); c.hears(0, 1, 2); c.acks(0, 1, 2); c.hears(1, 1, 3); c.hears(1, 1, 2) },
		"1 members with another order":             func(c *crowd) { c.hears(0, 0, 1); c.hears(0, 1, 2); c.hears(1, 1, 1); c.hears(1, 0, 2) },
		"1 messages not answered":                  func(c *crowd) { both(c, 0, 1); c.hears(0, 1, 2); c.hears(1, 1, 2) },
		"1 messages answered twice":                func(c *crowd) { both(c, 0, 1); both(c, 1, 2); c.acks(0, 1, 2) },
		"1 answers to nothing":                     func(c *crowd) { both(c, 0, 1); both(c, 1, 2); c.acks(0, 7, 2) },
		"1 acks with another seq":                  func(c *crowd) { both(c, 0, 1); c.hears(0, 1, 2); c.hears(1, 1, 2); c.acks(0, 1, 1) },
		"1 answers to another client":              func(c *crowd) { both(c, 0, 1); both(c, 1, 2); c.acks(1, 1, 2) },
		"2 messages with two seqs":                 func(c *crowd) { both(c, 0, 1); both(c, 1, 2); c.hears(0, 1, 3); c.hears(1, 1, 3) },
		"1 events that the protocol does not have": func(c *crowd) { both(c, 0, 1); both(c, 1, 2); c.event(&c.members[0], 0, []byte(`{"type":"noise"}`)) },
		"1 events that the protocol does not have, typing": func(c *crowd) {
			both(c, 0, 1)
			both(c, 1, 2)
			c.hears(0, 1, 2)
			c.event(&c.members[1], 1, []byte(`{"type":"left","room":"r"}`))
		},
	} {
		c := onPaper(2)
		play(c)
		got := c.faults()
		want, _, _ = strings.Cut(want, ", ")
		if want == "" && (len(got) > 0 || !c.settled() || c.seen.acked != 2 || c.seen.across.Total() != 2 || c.seen.same.Total() != 2 || c.seen.ack.Max() != 2) {
			t.Errorf("nothing wrong: got %q, %+v", got, c.seen.tally)
		}
		if want != "" && !slices.ContainsFunc(got, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCrowd_RefusalsAreAnswers(t *testing.T) {
	c := onPaper(2)
	for n, code := range []string{"busy", "unavailable"} {
		c.event(&c.members[0], 0, fmt.Appendf(nil, `{"type":"error","code":%q,"message":"m","room":"r","id":"a-%d","retry_ms":1}`, code, n))
	}
	if got := c.faults(); len(got) > 0 || !c.settled() || c.members[0].unacked != 0 || c.free != 2 || c.seen.refused["busy"] != 1 || c.seen.refused["unavailable"] != 1 {
		t.Errorf("got %q, %v, %d open", got, c.seen.refused, c.members[0].unacked)
	}
	c.acks(0, 1, 1) // what was unknown was taken after all
	if c.seen.taken != 1 || c.members[0].unacked != 0 || c.settled() {
		t.Errorf("got %d taken, %d open, settled %v", c.seen.taken, c.members[0].unacked, c.settled())
	}
}

// A member with as many open messages as it may have is passed over, and what is due
// while there is none else is not sent.
func TestCrowd_BoundsWhatIsOpen(t *testing.T) {
	c := onPaper(0)
	c.plan = plan{end: 1e9, rate: 1000}
	for i := range c.members {
		c.members[i].out = []byte("x") // the kernel takes nothing, so no socket is touched
	}
	c.now = 10e6 // eleven are due
	c.publish()
	if got := c.ledger.Unanswered(); got != 4 || c.k != 11 || c.free != 0 || c.members[0].unacked != 2 || c.members[1].unacked != 2 {
		t.Fatalf("got %d sent of %d, %d free", got, c.k, c.free)
	}
	c.acks(1, 1, 1)
	c.now = 11e6
	c.publish()
	if got := c.ledger.Next(); got != 5 || c.k != 12 || c.free != 0 || c.members[1].unacked != 2 {
		t.Errorf("got %d sent of %d, %d free", got, c.k, c.free)
	}
}

func TestPlan_DueAndWindow(t *testing.T) {
	p := plan{start: 100, window: 200, end: 300, rate: 1e8}
	if p.due(0) != 100 || p.due(7) != 170 || p.during(199) || !p.during(200) || p.during(300) {
		t.Errorf("got %d, %d", p.due(0), p.due(7))
	}
	if rest := (plan{start: 100}); rest.due(0) < 1<<62 {
		t.Errorf("at rest: got %d", rest.due(0))
	}
}
