package bus

import (
	"errors"
	"reflect"
	"testing"
)

func exampleNotice() notice {
	return notice{
		node: "node-1", what: noticeDelta, version: 1<<63 + 5,
		changes: []change{
			{room: "café", user: "u1", face: face{name: "Ann", since: 1_764_000_000_123}, here: true},
			{room: "café", user: "u2"},
			{room: "old", user: "u3", face: face{}, here: true},
		},
	}
}

func TestNotice_RoundTrip(t *testing.T) {
	for _, want := range []notice{
		exampleNotice(),
		{node: "n", what: noticeWhole, version: 1, changes: []change{}},
		{node: "n", what: noticeGone, changes: []change{}},
	} {
		got := notice{changes: []change{}}
		if err := got.decode(string(appendPresence(nil, &want))); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
	}
}

func TestNotice_RefusesEveryCut(t *testing.T) {
	n := exampleNotice()
	whole := string(appendPresence(nil, &n))
	typing := string(appendTyping(nil, "node-1", "café", "u1", "Ann"))
	for i := range len(whole) {
		var got notice
		if err := got.decode(whole[:i]); !errors.Is(err, errNotice) || len(got.changes) > 0 {
			t.Fatalf("the first %d of %d bytes: got %v and %d changes, want %v and none", i, len(whole), err, len(got.changes), errNotice)
		}
	}
	for i := range len(typing) {
		if _, _, _, _, err := decodeTyping(typing[:i]); !errors.Is(err, errNotice) {
			t.Fatalf("the first %d of %d bytes of typing: got %v, want %v", i, len(typing), err, errNotice)
		}
	}
	var got notice
	for _, s := range []string{whole + "x", "\x01" + whole[1:], typing} {
		if err := got.decode(s); !errors.Is(err, errNotice) {
			t.Errorf("%q: got %v, want %v", s, err, errNotice)
		}
	}
	if _, _, _, _, err := decodeTyping(typing + "x"); !errors.Is(err, errNotice) {
		t.Errorf("typing, one byte too many: got %v, want %v", err, errNotice)
	}
}

func TestTyping_RoundTrip(t *testing.T) {
	node, room, user, name, err := decodeTyping(string(appendTyping(nil, "node-1", "café", "u1", "Ann")))
	if node != "node-1" || room != "café" || user != "u1" || name != "Ann" || err != nil {
		t.Errorf("got %q %q %q %q %v", node, room, user, name, err)
	}
}

func TestFace_RoundTrip(t *testing.T) {
	want := face{name: "Änn", since: 1_764_000_000_123}
	if got := parseFace(string(appendFace(nil, want))); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, s := range []string{"", "12345"} {
		if got := parseFace(s); got != (face{}) {
			t.Errorf("%q: got %+v, want none", s, got)
		}
	}
}

// What decodes must mean the same after another round, and nothing may panic or take
// memory that the input did not pay for. A mirror takes whatever decodes.
func FuzzNotice_Decode(f *testing.F) {
	n := exampleNotice()
	f.Add(string(appendPresence(nil, &n)))
	f.Add(string(appendPresence(nil, &notice{node: "n", what: noticeGone, version: 3})))
	f.Add(string(appendTyping(nil, "node-1", "café", "u1", "Ann")))
	f.Fuzz(func(t *testing.T, s string) {
		if node, room, user, name, err := decodeTyping(s); err == nil {
			n, r, u, a, err := decodeTyping(string(appendTyping(nil, node, room, user, name)))
			if n != node || r != room || u != user || a != name || err != nil {
				t.Fatalf("got %q %q %q %q %v of %q", n, r, u, a, err, s)
			}
		}
		var got, again notice
		if got.decode(s) != nil {
			return
		}
		if len(got.changes) > len(s) {
			t.Fatalf("%d changes from %d bytes", len(got.changes), len(s))
		}
		if err := again.decode(string(appendPresence(nil, &got))); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("got %v\n     %+v\nthen %+v", err, got, again)
		}
		m := newMirror()
		m.join(got.node)
		m.toRead()
		m.read(got.node, got.version-1, nil)
		m.hear(&got)
	})
}
