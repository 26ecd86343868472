//go:build !race

package wire

import "testing"

// What is done for every frame must not allocate, or the generator measures its own collector.
func TestAlloc_Frames(t *testing.T) {
	frame := AppendFrame(nil, OpText, []byte(goodMessage))
	scratch := make([]byte, 0, 4096)
	var e Event
	if got := testing.AllocsPerRun(100, func() {
		f, err := Next(frame)
		if err != nil || e.Decode(f.Payload) != nil {
			t.Fatal("bad frame")
		}
		scratch = AppendMasked(scratch[:0], OpText, AppendSay(scratch[2048:2048], "r", "p-", 9, 1, 128), 7)
	}); got != 0 {
		t.Errorf("got %v allocations, want 0", got)
	}
}
