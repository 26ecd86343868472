package frame

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/gobwas/ws"
)

// FuzzParseHeader compares with ws.ReadHeader: the same header and length of it, or incomplete, or wrong.
func FuzzParseHeader(f *testing.F) {
	f.Add([]byte{0x81})
	f.Add([]byte{0x81, 0x85, 1, 2, 3, 4, 5})
	f.Add([]byte{0x02, 0xfe, 1, 0, 1, 2, 3, 4})
	f.Add([]byte{0x8f, 0x7f, 0, 0, 0, 1, 0, 0, 0, 0})
	f.Add([]byte{0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		want, wantErr := ws.ReadHeader(r)
		got, size, err := ParseHeader(in)
		switch {
		case errors.Is(wantErr, io.EOF) || errors.Is(wantErr, io.ErrUnexpectedEOF):
			if err != nil && !errors.Is(err, ws.ErrHeaderLengthMSB) || err == nil && size <= len(in) {
				t.Fatalf("%x: size %d, %v, want incomplete", in, size, err)
			}
		case wantErr != nil:
			if !errors.Is(err, wantErr) {
				t.Fatalf("%x: got %v, want %v", in, err, wantErr)
			}
		case err != nil || got != want || size != len(in)-r.Len():
			t.Fatalf("%x: got %+v, %d bytes, %v, want %+v, %d", in, got, size, err, want, len(in)-r.Len())
		}
	})
}
