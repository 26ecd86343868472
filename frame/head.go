package frame

import (
	"bytes"

	"github.com/gobwas/ws"
)

// MaxHead is the longest request head that is read, bytes.
const MaxHead = 8 << 10

// socketPath is where a WebSocket starts (protocol.md section 1).
const socketPath = "/ws"

// Verdict says what the first bytes of a connection are.
type Verdict uint8

// What Scan can find.
const (
	More     Verdict = iota // the head is not complete
	Plain                   // HTTP, but no WebSocket: for net/http
	Socket                  // a complete head that asks for a WebSocket, right or wrong
	Overlong                // no end of the head within MaxHead
)

// Scan looks at what a connection has said so far. With Socket n is the length of the head. It keeps
// nothing: it may be called again with the same bytes and more behind them.
func Scan(in []byte) (v Verdict, n int) {
	line, _, whole := bytes.Cut(in, []byte{'\n'})
	switch {
	case !whole && len(in) <= MaxHead:
		return More, 0
	case !whole:
		return Overlong, 0
	case !asksForSocket(line):
		return Plain, 0
	}
	end := headEnd(in)
	switch {
	case end > MaxHead, end == 0 && len(in) > MaxHead:
		return Overlong, 0
	case end == 0:
		return More, 0
	case len(field(in[:end], "Upgrade")) == 0:
		return Plain, 0
	}
	return Socket, end
}

// asksForSocket tells whether a request line names socketPath, whatever its method and version.
func asksForSocket(line []byte) bool {
	_, rest, _ := bytes.Cut(line, []byte{' '})
	target, _, _ := bytes.Cut(rest, []byte{' '})
	path, _, _ := bytes.Cut(target, []byte{'?'})
	return string(path) == socketPath
}

// headEnd returns the length of the head with its empty line, 0 if that has not come. A lone LF ends a line
// too (RFC 9112 section 2.2).
func headEnd(in []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(in[from:], '\n')
		if i < 0 {
			return 0
		}
		line := in[from : from+i]
		from += i + 1
		if len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return from
		}
	}
}

// field returns the values of all header fields of the name; they alias head.
func field(head []byte, name string) (values [][]byte) {
	for line := range bytes.Lines(head) {
		key, value, ok := bytes.Cut(line, []byte{':'})
		if ok && bytes.EqualFold(key, []byte(name)) {
			values = append(values, bytes.TrimSpace(value))
		}
	}
	return values
}

// checkHead finds what ws.Upgrader does not look at: fields that RFC 6455 section 4.1 allows once, a key
// that is not 16 bytes in base64, and a body, which would be read as frames.
func checkHead(head []byte) error {
	if keys := field(head, "Sec-WebSocket-Key"); len(keys) != 1 || !validKey(keys[0]) {
		return ws.ErrHandshakeBadSecKey
	}
	if len(field(head, "Host")) != 1 {
		return ws.ErrHandshakeBadHost
	}
	if len(field(head, "Sec-WebSocket-Version")) > 1 {
		return ws.ErrHandshakeBadSecVersion
	}
	for _, length := range field(head, "Content-Length") {
		if string(length) != "0" {
			return ws.ErrMalformedRequest
		}
	}
	if len(field(head, "Transfer-Encoding")) > 0 {
		return ws.ErrMalformedRequest
	}
	return nil
}

// validKey tells whether key is 16 bytes in base64: 22 characters of the alphabet, the last of which has 4
// unused bits, and the padding.
func validKey(key []byte) bool {
	if len(key) != 24 || key[22] != '=' || key[23] != '=' {
		return false
	}
	for _, c := range key[:22] {
		switch {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '+', c == '/':
		default:
			return false
		}
	}
	return true
}
