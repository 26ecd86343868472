package frame

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"unicode/utf8"
	"unsafe"
)

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// special returns the first index at or after i of a quote, a backslash, a control character below 0x20,
// or a byte with a bit in high set (highBits: all that is not ASCII; 0: none); len(s) if there is none.
// It looks at eight bytes at once: strings are most of what the server reads and writes.
func special(s []byte, i int, high uint64) int {
	for ; i+8 <= len(s); i += 8 {
		w := binary.LittleEndian.Uint64(s[i:])
		quote := w ^ '"'*eachByte
		slash := w ^ '\\'*eachByte
		// x-1 borrows into the high bit only where x was 0 (or above 0x80, which &^x takes out), and
		// w-0x20 only where w was below 0x20. A borrow runs upwards, so the lowest hit is a true one.
		hit := ((quote-eachByte)&^quote | (slash-eachByte)&^slash | (w-0x20*eachByte)&^w) & highBits
		if hit |= w & high; hit != 0 {
			return i + bits.TrailingZeros64(hit)/8
		}
	}
	for ; i < len(s); i++ {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c&byte(high) != 0 {
			break
		}
	}
	return i
}

// appendString appends s as a JSON string. Any s gives valid JSON: what is not UTF-8 becomes U+FFFD.
// (strconv.AppendQuote is no JSON escaper: it writes \x01 and \a.)
func appendString(dst, s []byte) []byte {
	dst = append(dst, '"')
	n := special(s, 0, highBits)
	if n < len(s) {
		s = repaired(s)
		n = special(s, n, 0)
	}
	from := 0
	for n < len(s) {
		dst = append(dst, s[from:n]...)
		dst = appendEscape(dst, s[n])
		from = n + 1
		n = special(s, from, 0)
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// stringSize returns how many bytes appendString appends.
func stringSize(s []byte) int {
	n := special(s, 0, highBits)
	if n == len(s) {
		return len(s) + 2
	}
	s = repaired(s)
	size := len(s) + 2
	for n = special(s, n, 0); n < len(s); n = special(s, n+1, 0) {
		if shortEscape(s[n]) != 0 {
			size++
		} else {
			size += len(`\u0000`) - 1
		}
	}
	return size
}

// repaired returns s, or if it is not valid UTF-8 a copy that is.
func repaired(s []byte) []byte {
	if utf8.Valid(s) {
		return s
	}
	return bytes.ToValidUTF8(s, []byte("\uFFFD"))
}

func appendEscape(dst []byte, c byte) []byte {
	if e := shortEscape(c); e != 0 {
		return append(dst, '\\', e)
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// shortEscape returns the letter of c's two-byte escape, 0 if it has none.
func shortEscape(c byte) byte {
	switch c {
	case '"', '\\':
		return c
	case '\n':
		return 'n'
	case '\r':
		return 'r'
	case '\t':
		return 't'
	case '\b':
		return 'b'
	case '\f':
		return 'f'
	}
	return 0
}

// view returns the bytes of s without a copy. Nothing may write to them.
func view(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }
