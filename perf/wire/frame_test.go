package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestNext_ReadsWhatAppendWrote(t *testing.T) {
	for _, size := range []int{0, 1, 7, 8, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte("nebula-"), size/7+1)[:size]
		plain := AppendFrame(nil, OpText, payload)
		got, err := Next(plain)
		if err != nil || got.Op != OpText || !got.Fin || got.Size != len(plain) || !bytes.Equal(got.Payload, payload) {
			t.Errorf("size %d: got op %d fin %v size %d of %d, error %v", size, got.Op, got.Fin, got.Size, len(plain), err)
		}
		masked := AppendMasked(nil, OpBinary, payload, 0xdeadbeef)
		got, err = NextMasked(masked)
		if err != nil || got.Op != OpBinary || got.Size != len(masked) || !bytes.Equal(got.Payload, payload) {
			t.Errorf("masked, size %d: got op %d size %d of %d, error %v", size, got.Op, got.Size, len(masked), err)
		}
	}
}

func TestNext_EveryPrefixIsIncomplete(t *testing.T) {
	for _, whole := range [][]byte{
		AppendFrame(nil, OpText, []byte("hello")),
		AppendFrame(nil, OpText, make([]byte, 300)),
		AppendFrame(nil, OpText, make([]byte, 66000)),
	} {
		for n := range len(whole) {
			got, err := Next(whole[:n])
			if err != nil || got.Size != 0 {
				t.Fatalf("%d of %d bytes: got size %d, error %v; want an incomplete frame", n, len(whole), got.Size, err)
			}
		}
	}
}

func TestNext_RefusesWhatAServerMustNotSend(t *testing.T) {
	for name, raw := range map[string]string{
		"reserved bit":             "\xc1\x00",
		"reserved opcode 3":        "\x83\x00",
		"reserved opcode 11":       "\x8b\x00",
		"masked":                   "\x81\x80\x00\x00\x00\x00",
		"fragmented ping":          "\x09\x00",
		"long close":               "\x88\x7e\x00\x80",
		"16 bit length too small":  "\x81\x7e\x00\x7d",
		"64 bit length too small":  "\x81\x7f\x00\x00\x00\x00\x00\x00\xff\xff",
		"64 bit length too large":  "\x81\x7f\x00\x00\x00\x00\x80\x00\x00\x01",
		"64 bit length, highest 1": "\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x00",
	} {
		if _, err := Next([]byte(raw)); !errors.Is(err, ErrFrame) {
			t.Errorf("%s: got error %v, want ErrFrame", name, err)
		}
	}
}

func TestCloseCode(t *testing.T) {
	if got := CloseCode(AppendClose(nil, 1013, "slow")); got != 1013 {
		t.Errorf("got %d, want 1013", got)
	}
	if got := CloseCode(nil); got != 1005 {
		t.Errorf("without payload: got %d, want 1005", got)
	}
}

// FuzzNext holds Next to what any reader needs: it never reaches past b, and what it accepts can be
// written again byte for byte.
func FuzzNext(f *testing.F) {
	f.Add(AppendFrame(nil, OpText, []byte("hello")))
	f.Add(AppendFrame(nil, OpClose, AppendClose(nil, 1013, "")))
	f.Add(AppendFrame(nil, OpText, []byte(strings.Repeat("x", 130))))
	f.Add([]byte("\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := Next(b)
		if err != nil || got.Size == 0 {
			return
		}
		again := AppendFrame(nil, got.Op, got.Payload)
		if !got.Fin {
			again[0] &^= 0x80
		}
		if !bytes.Equal(again, b[:got.Size]) {
			t.Fatalf("got %x, want %x", again, b[:got.Size])
		}
	})
}
