//go:build !race

package frame

import "testing"

// TestAlloc_In counts what a message of a client allocates until it is a Buf of its room.
func TestAlloc_In(t *testing.T) {
	in := sample(t, 128)
	var p Parser
	var m Msg
	work := make([]byte, 0, 4096)
	next := func(bytes []byte) {
		work = append(work[:0], bytes...)
		for n := 0; n < len(work); {
			_, used, err := p.Next(work[n:], 4096)
			if err != nil {
				t.Fatal(err)
			}
			n += used
		}
	}
	for name, fn := range map[string]func(){
		"ParseHeader":              func() { _, _, _ = ParseHeader(in.frame) },
		"Parser.Next":              func() { next(in.frame) },
		"Parser.Next of fragments": func() { next(in.fragments) },
		"Decode":                   func() { work = append(work[:0], in.json...); Decode(&m, work, 4096) },
		"Proto.Decode":             func() { Proto.Decode(&m, in.proto, 4096) },
		"EncodeMessage and Stamp": func() {
			b := EncodeMessage("lobby", []byte("id"), "user", "na\"me", []byte("a text of some length"))
			b.Stamp(7, 8)
			b.Release()
		},
	} {
		if got := testing.AllocsPerRun(1000, fn); got != 0 {
			t.Errorf("%s: %v allocations, want 0", name, got)
		}
	}
	p.Reset()
}

// TestAlloc_Out counts what the answers allocate.
func TestAlloc_Out(t *testing.T) {
	m := EncodeMessage("lobby", []byte("id"), "user", "na\"me", []byte("a text of some length"))
	m.Stamp(1, 2)
	defer m.Release()
	messages, people, id := []*Buf{m, m}, []User{{"u", "n"}}, []byte("id")
	out := make([]byte, 0, 4096)
	for _, c := range []Codec{JSON, Proto} {
		for name, fn := range map[string]func(){
			"AppendAck":      func() { out = c.AppendAck(out[:0], "lobby", id, 7, 8) },
			"AppendMessage":  func() { out = c.AppendMessage(out[:0], m) },
			"AppendHistory":  func() { out = c.AppendHistory(out[:0], "lobby", messages, true) },
			"AppendPresence": func() { out = c.AppendPresence(out[:0], "lobby", 1, people, people) },
			"AppendTyping":   func() { out = c.AppendTyping(out[:0], "lobby", "u", "n") },
			"AppendError":    func() { out = c.AppendError(out[:0], CodeBusy, "lobby", id, 250, "") },
		} {
			if got := testing.AllocsPerRun(1000, fn); got != 0 {
				t.Errorf("%v %s: %v allocations, want 0", c, name, got)
			}
		}
	}
}
