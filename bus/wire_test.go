package bus

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func exampleEntry() Entry {
	return Entry{
		Pos: Pos{Epoch: 1_764_000_000_000, N: 7}, Milli: 1_764_000_000_123, Node: "node-1", Sent: 1_764_000_000_120_000_000,
		Messages: []Message{
			{Room: "café", Epoch: 1_764_000_000_000, Seq: 41, Milli: 1_764_000_000_123, Hash: 1 << 63, User: "u1", Name: "Ann", ID: "a-1", Text: "hello"},
			{Room: "old", Epoch: 1_763_000_000_000, Seq: 3, Milli: 1_763_000_000_001, Hash: 5, User: "u2", Name: "Bob", ID: "b-1", Text: strings.Repeat("x", 300), Restored: true},
			{Room: "café", Epoch: 1_764_000_000_000, Seq: 42, Milli: 1_764_000_000_123, Hash: 6, User: "u3", Name: "", ID: "c-1", Text: ""},
		},
	}
}

func TestEntry_RoundTrip(t *testing.T) {
	want := exampleEntry()
	var got Entry
	if err := got.decode(string(appendEntry(nil, &want))); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEntry_LeavesOutWhatWasInTheLogBefore(t *testing.T) {
	e := exampleEntry()
	e.Messages[0].Seq = 0
	var got Entry
	if err := got.decode(string(appendEntry(nil, &e))); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Messages, e.Messages[1:]) {
		t.Errorf("got %+v, want all but the first of %+v", got.Messages, e.Messages)
	}
}

func TestEntry_RefusesEveryCut(t *testing.T) {
	e := exampleEntry()
	whole := string(appendEntry(nil, &e))
	for n := range len(whole) {
		var got Entry
		if err := got.decode(whole[:n]); !errors.Is(err, errWire) {
			t.Fatalf("the first %d of %d bytes: got %v, want %v", n, len(whole), err, errWire)
		}
	}
	var got Entry
	if err := got.decode(whole + "x"); !errors.Is(err, errWire) {
		t.Errorf("one byte too many: got %v, want %v", err, errWire)
	}
	if err := got.decode("\x02" + whole[1:]); !errors.Is(err, errWire) {
		t.Errorf("another kind: got %v, want %v", err, errWire)
	}
}

// What decodes must mean the same after another round, and nothing may panic or take
// memory that the input did not pay for.
func FuzzEntry_Decode(f *testing.F) {
	e := exampleEntry()
	f.Add(string(appendEntry(nil, &e)))
	e.Messages = nil
	f.Add(string(appendEntry(nil, &e)))
	f.Add("\x01")
	f.Fuzz(func(t *testing.T, s string) {
		var got, again Entry
		if got.decode(s) != nil {
			return
		}
		if len(got.Messages) > len(s) {
			t.Fatalf("%d messages from %d bytes", len(got.Messages), len(s))
		}
		if err := again.decode(string(appendEntry(nil, &got))); err != nil {
			t.Fatalf("got %v for what was decoded: %+v", err, got)
		}
		if len(got.Messages)+len(again.Messages) > 0 && !reflect.DeepEqual(got, again) {
			t.Fatalf("got  %+v\nthen %+v", got, again)
		}
	})
}

func TestEntry_DecodeDoesNotAllocate(t *testing.T) {
	e := exampleEntry()
	s := string(appendEntry(nil, &e))
	var got Entry
	if n := testing.AllocsPerRun(100, func() {
		if err := got.decode(s); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("got %v allocations, want 0", n)
	}
}
