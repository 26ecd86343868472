package crowd

import (
	"fmt"
	"nebula/perf/fault/verdict"
	"testing"
)

// places puts messages one after the other, the first at from.
func places(from uint64, names ...string) (all []verdict.Placed) {
	for i, name := range names {
		all = append(all, verdict.Placed{Seq: from + uint64(i), Said: verdict.Say(verdict.Message{ID: name})})
	}
	return all
}

// shape tells what a log has, "-" where something is missing.
func (l *log) shape() string {
	s := fmt.Sprint(l.from, ":")
	for _, said := range l.said {
		if said == (verdict.Said{}) {
			s += "-"
		} else {
			s += said.Value().ID
		}
	}
	return s
}

// TestLog_GapIsSeenToBeClosed lives through what a restart does to a client that
// saw two messages which were never committed: c and d, in place of which x stands.
func TestLog_GapIsSeenToBeClosed(t *testing.T) {
	var l log
	for _, step := range []struct {
		do    func() bool
		known bool
		shape string
	}{
		{func() bool { return l.put(places(3, "a", "b")) }, false, "3:ab"},
		{func() bool { return l.put(places(5, "c", "d")) }, false, "3:abcd"},
		{func() bool { l.cut(6); return l.put(places(8, "z")) }, false, "3:abcd-z"},
		{func() bool { return l.put(places(6, "y", "w")) }, false, "3:abcywz"},
		{func() bool { return l.put(places(4, "b", "x")) }, true, "3:abxywz"},
		{func() bool { return l.put(places(1, "1", "2")) }, false, "3:abxywz"}, // before its first: not its own
		{func() bool { l.cut(4); return false }, false, "3:ab"},
		{func() bool { l.cut(1); return false }, false, "3:"},
	} {
		if known := step.do(); known != step.known || l.shape() != step.shape {
			t.Fatalf("got %s, known %v, want %s, %v", l.shape(), known, step.shape, step.known)
		}
	}
}

// TestLog_BeginsInAnEmptyRoom has a member join before the first message and come back to a newest page: what
// lies between is a gap to be closed, not before its first.
func TestLog_BeginsInAnEmptyRoom(t *testing.T) {
	var l log
	l.put(nil)
	l.begin(1)
	l.put(places(3, "c", "d"))
	if got, want := l.shape(), "1:--cd"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	l.begin(5)
	if l.put(places(1, "a", "b")); l.shape() != "1:abcd" {
		t.Errorf("got %s, want 1:abcd", l.shape())
	}
}
