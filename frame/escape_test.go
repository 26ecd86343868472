package frame

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// FuzzEscape writes any bytes as a JSON string and reads them back, by encoding/json and by Decode.
func FuzzEscape(f *testing.F) {
	f.Add([]byte("plain text of more than eight bytes"))
	f.Add([]byte("\xff2345678"))
	f.Add([]byte("\"\\\b\f\n\r\t\x00\x1f\x7f\u2028<>&é😀"))
	f.Add([]byte("\xff12345678\"\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, in []byte) {
		want := strings.ToValidUTF8(string(in), "\uFFFD")
		if len(in) == 0 {
			want = ""
		}
		out := appendString([]byte("x"), in)[1:]
		var got string
		if err := json.Unmarshal(out, &got); err != nil || got != want {
			t.Fatalf("%q became %s, which is %q (%v)", in, out, got, err)
		}
		if stringSize(in) != len(out) {
			t.Fatalf("%q: size %d, want %d", in, stringSize(in), len(out))
		}
		d := decoder{b: append([]byte(nil), out...)}
		back, _, ok := d.string()
		if !ok || string(back) != want || d.i != len(out) {
			t.Fatalf("%s is read as %q, want %q", out, back, want)
		}
	})
}

// FuzzRoomName compares with the rules as protocol.md section 2 words them.
func FuzzRoomName(f *testing.F) {
	for _, seed := range []string{"lobby", "a.b:c-d_e", "e\u0301", "\u0301e", "한국어", "नमस्ते", "a b", "", "\xff", strings.Repeat("é", 65), strings.Repeat("e\u0301", 64), "1٢"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		name := norm.NFC.String(string(raw))
		want := utf8.Valid(raw) && name != "" && utf8.RuneCountInString(name) <= 64
		for i, r := range name {
			want = want && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("-_.:", r) || i > 0 && unicode.IsMark(r))
		}
		got, ok := RoomName(raw)
		if ok != want || ok && got != name {
			t.Fatalf("%q: got %q, %v, want %q, %v", raw, got, ok, name, want)
		}
		if !ok {
			return
		}
		if again, ok := RoomName([]byte(got)); !ok || again != got {
			t.Fatalf("%q is not its own name", got)
		}
	})
}

func TestValidID_Characters(t *testing.T) {
	for c := range 256 {
		want := strings.ContainsRune("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", rune(c)) && c < 0x80
		if got := ValidID([]byte{byte(c)}); got != want {
			t.Errorf("%q: got %v, want %v", byte(c), got, want)
		}
	}
	for n, want := range map[int]bool{0: false, 1: true, 64: true, 65: false} {
		if got := ValidID([]byte(strings.Repeat("a", n))); got != want {
			t.Errorf("%d characters: got %v, want %v", n, got, want)
		}
	}
}
