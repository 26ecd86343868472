package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestChat_TwoClients(t *testing.T) {
	s := startServer(t)
	ann, bob := s.dial(""), s.dial("")
	if ann.me.User == "" || ann.me.User == bob.me.User || ann.me.HeartbeatMS != 25000 || ann.me.Limits["text_bytes"] != 4096 {
		t.Fatalf("welcome: %+v", ann.me)
	}
	first := ann.join("lobby")
	if first.Seq != 0 || first.Count != 1 || !first.Complete || len(first.Users) != 1 || first.Epoch == "" {
		t.Fatalf("joined: %+v", first)
	}
	bob.join("lobby")
	if p := ann.want("presence"); p.Count != 2 || !slices.Contains(p.Joined, person{bob.me.User, bob.me.Name}) {
		t.Fatalf("presence: %+v", p) // ann's own entering may come with it
	}
	ann.send(`{"type":"message","room":"lobby","id":"one","text":"hi \u00fc <b>&\"\\"}`)
	got := bob.want("message")
	if got.Text != "hi ü <b>&\"\\" || got.ID != "one" || got.User != ann.me.User || got.Name != ann.me.Name || got.Seq != 1 || got.Time == 0 {
		t.Fatalf("message: %+v", got)
	}
	seen := map[string]event{}
	for len(seen) < 2 {
		if e := ann.next(); e.Type == "message" || e.Type == "ack" {
			seen[e.Type] = e
		}
	}
	if seen["ack"].Seq != 1 || seen["ack"].ID != "one" || seen["ack"].Time != got.Time || seen["message"].Seq != 1 {
		t.Fatalf("sender saw %+v", seen)
	}
	bob.send(`{"type":"typing","room":"lobby"}`)
	if e := ann.want("typing"); e.User != bob.me.User {
		t.Fatalf("typing: %+v", e)
	}
	bob.send(`{"type":"leave","room":"lobby"}`)
	bob.want("left")
	if p := ann.want("presence"); p.Count != 1 || len(p.Left) != 1 {
		t.Fatalf("presence after leave: %+v", p)
	}
	ann.conn.Close()
	bob.send(`{"type":"ping","t":1.50}`)
	if e := bob.want("pong"); e.T.String() != "1.50" {
		t.Fatalf("pong t = %s, want it as written", e.T)
	}
}

func TestChat_ResendIsAckedOnce(t *testing.T) {
	s := startServer(t)
	c := s.dial("")
	c.join("r")
	first := c.say("r", "same", "text")
	again := c.say("r", "same", "another text")
	if first.Seq != again.Seq || first.Time != again.Time {
		t.Fatalf("first ack %+v, second %+v", first, again)
	}
	c.send(`{"type":"history","room":"r"}`)
	if h := c.want("history"); len(h.Messages) != 1 || h.More || h.Messages[0].Text != "text" {
		t.Fatalf("history: %+v", h)
	}
}

func TestChat_MessageWithoutIDGetsOne(t *testing.T) {
	s := startServer(t)
	c := s.dial("")
	c.join("r")
	c.send(`{"type":"message","room":"r","text":"x"}`)
	if ack := c.want("ack"); len(ack.ID) != 36 || ack.ID[14] != '7' {
		t.Fatalf("id %q is no UUIDv7", ack.ID)
	}
}

func TestChat_Errors(t *testing.T) {
	s := startServer(t, "-rooms", "2")
	long := strings.Repeat("x", 4097)
	cases := []struct{ name, send, code string }{
		{"NotJSON", `{"type":`, "bad_json"},
		{"Array", `[]`, "bad_json"},
		{"Trailing", `{"type":"ping"} x`, "bad_json"},
		{"NoType", `{}`, "bad_request"},
		{"TypeNumber", `{"type":1}`, "bad_request"},
		{"Unknown", `{"type":"dance"}`, "unknown_type"},
		{"JoinNoRoom", `{"type":"join"}`, "bad_request"},
		{"JoinEmptyRoom", `{"type":"join","room":""}`, "bad_room"},
		{"JoinSpace", `{"type":"join","room":"a b"}`, "bad_room"},
		{"JoinLong", `{"type":"join","room":"` + strings.Repeat("r", 65) + `"}`, "bad_room"},
		{"JoinMark", `{"type":"join","room":"\u0301a"}`, "bad_room"},
		{"JoinEpochAlone", `{"type":"join","room":"r","epoch":"1"}`, "bad_request"},
		{"JoinNegative", `{"type":"join","room":"r","epoch":"1","after":-1}`, "bad_request"},
		{"NotJoinedSay", `{"type":"message","room":"other","text":"x"}`, "not_joined"},
		{"NotJoinedLeave", `{"type":"leave","room":"other"}`, "not_joined"},
		{"NotJoinedHistory", `{"type":"history","room":"other"}`, "not_joined"},
		{"NotJoinedPresence", `{"type":"presence","room":"other"}`, "not_joined"},
		{"NotJoinedTyping", `{"type":"typing","room":"other"}`, "not_joined"},
		{"TextEmpty", `{"type":"message","room":"r","text":""}`, "bad_text"},
		{"TextMissing", `{"type":"message","room":"r"}`, "bad_request"},
		{"TextNumber", `{"type":"message","room":"r","text":5}`, "bad_request"},
		{"TextLong", `{"type":"message","room":"r","text":"` + long + `"}`, "too_long"},
		{"TextNUL", `{"type":"message","room":"r","text":"a\u0000b"}`, "bad_text"},
		{"TextSurrogate", `{"type":"message","room":"r","text":"\ud800"}`, "bad_text"},
		{"BadID", `{"type":"message","room":"r","id":"a b","text":"x"}`, "bad_request"},
		{"LimitZero", `{"type":"history","room":"r","limit":0}`, "bad_request"},
		{"LimitBig", `{"type":"history","room":"r","limit":201}`, "bad_request"},
		{"UsersLimitBig", `{"type":"presence","room":"r","limit":1001}`, "bad_request"},
	}
	c := s.dial("")
	c.join("r")
	for _, one := range cases {
		t.Run(one.name, func(t *testing.T) {
			c.t = t
			c.send("%s", one.send)
			c.wantError(one.code)
			c.send(`{"type":"ping","t":7}`)
			c.want("pong")
		})
	}
	c.t = t
	c.join("second")
	c.send(`{"type":"join","room":"third"}`)
	if e := c.wantError("too_many_rooms"); e.Room != "third" {
		t.Fatalf("error names room %q", e.Room)
	}
}

func TestChat_HistoryPagesAndSurvivesRestart(t *testing.T) {
	s := startServer(t)
	c := s.dial("")
	joined := c.join("r")
	for i := 1; i <= 120; i++ {
		c.say("r", fmt.Sprintf("id-%d", i), fmt.Sprintf("text %d", i))
	}
	c.send(`{"type":"history","room":"r","before":21,"limit":15}`)
	h := c.want("history")
	if len(h.Messages) != 15 || !h.More || h.Messages[0].Seq != 6 || h.Messages[14].Seq != 20 {
		t.Fatalf("page: %d messages, more %v", len(h.Messages), h.More)
	}

	s = s.restart()
	c = s.dial(c.cookie)
	c.send(`{"type":"join","room":"r","epoch":%q,"after":100}`, joined.Epoch)
	again := c.want("joined")
	if !again.Complete || len(again.Messages) != 20 || again.Messages[0].Seq != 101 || again.Seq != 120 || again.Epoch == joined.Epoch {
		t.Fatalf("resumed: seq %d epoch %s complete %v, %d messages", again.Seq, again.Epoch, again.Complete, len(again.Messages))
	}
	if ack := c.say("r", "id-7", "again"); ack.Seq != 7 {
		t.Fatalf("resend after the restart got seq %d, want 7", ack.Seq)
	}
	if ack := c.say("r", "new", "goes on"); ack.Seq != 121 {
		t.Fatalf("seq %d after the restart, want 121", ack.Seq)
	}
	c.send(`{"type":"join","room":"r","epoch":"1","after":100}`)
	if e := c.want("joined"); e.Complete {
		t.Fatal("a resume from an unknown epoch claims to be complete")
	}
}

func TestChat_SameUserTwice(t *testing.T) {
	s := startServer(t)
	watcher := s.dial("")
	watcher.join("r")
	one := s.dial("")
	two := s.dial(one.cookie)
	if one.me.User != two.me.User {
		t.Fatal("the cookie does not keep the user")
	}
	one.join("r")
	watcher.want("presence")
	if j := two.join("r"); j.Count != 2 || len(j.Users) != 2 {
		t.Fatalf("two tabs of one user count twice: %+v", j)
	}
	one.conn.Close()
	two.say("r", "x", "still here")
	if e := watcher.want("message"); e.User != one.me.User {
		t.Fatalf("message: %+v", e)
	}
	two.conn.Close()
	if p := watcher.want("presence"); len(p.Left) != 1 || p.Count != 1 {
		t.Fatalf("presence: %+v", p)
	}
}

// TestChat_CommandsBehindAJoin has a client say everything at once, to a room that has to be read from
// the database first: its commands are carried out as if the room had been there.
func TestChat_CommandsBehindAJoin(t *testing.T) {
	s := startServer(t)
	before := s.dial("")
	before.join("cold")
	before.say("cold", "before", "x")
	s = s.restart()
	c := s.dial("")
	c.send(`{"type":"join","room":"cold"}`)
	c.send(`{"type":"message","room":"cold","id":"after","text":"x"}`)
	c.send(`{"type":"history","room":"cold"}`)
	c.send(`{"type":"leave","room":"cold"}`)
	if j := c.want("joined"); len(j.Messages) != 1 || j.Messages[0].ID != "before" {
		t.Fatalf("joined: %+v", j)
	}
	seen := map[string]event{}
	for seen["ack"].ID == "" || seen["left"].Room == "" {
		e := c.next()
		seen[e.Type] = e
		if e.Type == "error" {
			t.Fatalf("error: %+v", e)
		}
	}
	if seen["ack"].Seq != 2 || len(seen["history"].Messages) != 2 || seen["left"].Room != "cold" {
		t.Fatalf("saw %+v", seen)
	}
}
