package wire

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// Subprotocol is the only one that the measuring programs speak.
const Subprotocol = "nebula.v1.json"

const (
	acceptGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 section 1.3
	maxHead    = 16 << 10                               // bytes
	switching  = 101
)

// ErrHandshake is returned for a head that is no HTTP/1.1 or does not answer what was asked.
var ErrHandshake = errors.New("wire: bad handshake")

// AppendUpgrade appends the request for a WebSocket at /ws; nonce makes its key.
func AppendUpgrade(dst []byte, host string, nonce uint64) []byte {
	dst = append(append(dst, "GET /ws HTTP/1.1\r\nHost: "...), host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: "...)
	dst = appendKey(dst, nonce)
	return append(dst, "\r\nSec-WebSocket-Protocol: "+Subprotocol+"\r\n\r\n"...)
}

func appendKey(dst []byte, nonce uint64) []byte {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:], nonce)
	binary.BigEndian.PutUint64(raw[8:], ^nonce)
	return base64.StdEncoding.AppendEncode(dst, raw[:])
}

func appendAccept(dst, key []byte) []byte {
	var room [128]byte
	sum := sha1.Sum(append(append(room[:0], key...), acceptGUID...))
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// ReadAnswer reads the answer to AppendUpgrade with the same nonce. A size of 0
// means that it is not complete. A status other than 101 is no error; a 101 that
// proves nothing (accept, sub-protocol) is.
func ReadAnswer(b []byte, nonce uint64) (status, size int, err error) {
	if size, err = headSize(b); size == 0 {
		return 0, 0, err
	}
	head := b[:size]
	rest, ok := bytes.CutPrefix(head, []byte("HTTP/1.1 "))
	if !ok {
		return 0, 0, ErrHandshake
	}
	code, ok := Uint(rest)
	if !ok {
		return 0, 0, ErrHandshake
	}
	if code != switching {
		return int(code), size, nil
	}
	var room [64]byte
	accept := appendAccept(room[:0], appendKey(room[:0:0], nonce))
	if !bytes.Equal(header(head, "Sec-WebSocket-Accept"), accept) ||
		!bytes.EqualFold(header(head, "Upgrade"), []byte("websocket")) ||
		string(header(head, "Sec-WebSocket-Protocol")) != Subprotocol {
		return 0, 0, ErrHandshake
	}
	return switching, size, nil
}

// ReadRequest reads the head of a request; key is nil where it asks for no
// WebSocket. A size of 0 means that it is not complete. The key aliases b.
func ReadRequest(b []byte) (key []byte, size int, err error) {
	if size, err = headSize(b); size == 0 {
		return nil, 0, err
	}
	return header(b[:size], "Sec-WebSocket-Key"), size, nil
}

// AppendSwitch appends the 101 that answers key.
func AppendSwitch(dst, key []byte) []byte {
	dst = append(dst, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	return append(appendAccept(dst, key), "\r\nSec-WebSocket-Protocol: "+Subprotocol+"\r\n\r\n"...)
}

// headSize returns the length of the head with its empty line, 0 while it is not complete.
func headSize(b []byte) (int, error) {
	if at := bytes.Index(b, []byte("\r\n\r\n")); at >= 0 {
		return at + 4, nil
	}
	if len(b) > maxHead {
		return 0, ErrHandshake
	}
	return 0, nil
}

// header returns the value of the first field of that name, nil where there is none.
func header(head []byte, name string) []byte {
	for {
		at := bytes.Index(head, []byte("\r\n"))
		if at < 0 {
			return nil
		}
		head = head[at+2:]
		if len(head) > len(name) && head[len(name)] == ':' && bytes.EqualFold(head[:len(name)], []byte(name)) {
			value := head[len(name)+1:]
			if end := bytes.IndexByte(value, '\r'); end >= 0 {
				value = value[:end]
			}
			return bytes.Trim(value, " \t")
		}
	}
}
