package frame

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"github.com/gobwas/ws"
)

// Request is what an upgrade says of who asks. Its strings are copies.
type Request struct {
	Host           string
	Origin         string
	HasOrigin      bool
	Origins        int    // how many Origin fields there were; more than one is nobody's browser
	Cookie         string // all Cookie fields, joined
	ForwardedFor   string // all X-Forwarded-For fields, joined
	ForwardedProto string
	Codec          Codec // the first of what it offers that is spoken; JSON if there is none
}

// Refusal is an answer other than 101.
type Refusal struct {
	Status     int
	RetryAfter int // seconds; 0: no such field
	Text       string
}

// errRefused ends ws.Upgrader when the caller's judge refused.
var errRefused = errors.New("frame: upgrade refused")

// Upgrade answers the complete head of a request that Scan called Socket, and appends the answer to dst. A
// head that is right is put to judge, which returns the value of Set-Cookie ("": none) or a refusal. ok tells
// whether the answer is 101. speaks are the codecs besides JSON that may be chosen.
func Upgrade(dst, head []byte, judge func(*Request) (cookie string, refusal *Refusal), speaks ...Codec) (out []byte, ok bool) {
	var r Request
	var refusal *Refusal
	answer := answerWriter{b: dst}
	u := ws.Upgrader{
		ReadBufferSize: MaxHead, // a line may be as long as the head
		Protocol:       func(offered []byte) bool { return r.offered(offered, speaks) },
		OnHost:         func(host []byte) error { r.Host = string(host); return nil },
		OnHeader:       func(key, value []byte) error { r.take(key, value); return nil },
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
			if err := checkHead(head); err != nil {
				return nil, err
			}
			cookie, no := judge(&r)
			if no != nil {
				refusal = no
				return nil, errRefused
			}
			if cookie == "" {
				return nil, nil
			}
			return ws.HandshakeHeaderString("Set-Cookie: " + cookie + "\r\n"), nil
		},
	}
	answer.r.Reset(head)
	if _, err := u.Upgrade(&answer); err != nil {
		if refusal == nil {
			refusal = refusalOf(err)
		}
		return AppendRefusal(dst, refusal), false
	}
	return answer.b, true
}

func (r *Request) take(key, value []byte) {
	switch string(key) {
	case "Origin":
		r.Origin, r.HasOrigin = string(value), true
		r.Origins++
	case "Cookie":
		r.Cookie = joined(r.Cookie, "; ", value)
	case "X-Forwarded-For":
		r.ForwardedFor = joined(r.ForwardedFor, ",", value)
	case "X-Forwarded-Proto":
		r.ForwardedProto = joined(r.ForwardedProto, ",", value)
	}
}

// offered tells whether a sub-protocol that is offered is spoken, and keeps it. ws.Upgrader asks until one is.
func (r *Request) offered(name []byte, speaks []Codec) bool {
	for _, c := range speaks {
		if string(name) == c.String() {
			r.Codec = c
			return true
		}
	}
	return string(name) == JSON.String()
}

func joined(before, separator string, value []byte) string {
	if before == "" {
		return string(value)
	}
	return before + separator + string(value)
}

// refusalOf maps ws.Upgrader's errors to the statuses of protocol.md section 1.
func refusalOf(err error) *Refusal {
	switch {
	case errors.Is(err, ws.ErrHandshakeBadMethod):
		return &Refusal{Status: http.StatusMethodNotAllowed, Text: "a WebSocket starts with GET"}
	case errors.Is(err, ws.ErrHandshakeUpgradeRequired), errors.Is(err, ws.ErrHandshakeBadSecVersion):
		return &Refusal{Status: http.StatusUpgradeRequired, Text: "this server speaks version 13 of WebSocket"}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Refusal{Status: http.StatusBadRequest, Text: "malformed request"}
	}
	return &Refusal{Status: http.StatusBadRequest, Text: err.Error()}
}

// AppendRefusal appends a whole HTTP answer after which the connection is closed.
func AppendRefusal(dst []byte, r *Refusal) []byte {
	dst = append(dst, "HTTP/1.1 "...)
	dst = strconv.AppendInt(dst, int64(r.Status), 10)
	dst = append(append(append(dst, ' '), http.StatusText(r.Status)...), "\r\nConnection: close\r\n"...)
	switch r.Status {
	case http.StatusMethodNotAllowed:
		dst = append(dst, "Allow: GET\r\n"...)
	case http.StatusUpgradeRequired:
		dst = append(dst, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"...)
	}
	if r.RetryAfter > 0 {
		dst = append(dst, "Retry-After: "...)
		dst = append(strconv.AppendInt(dst, int64(r.RetryAfter), 10), "\r\n"...)
	}
	dst = append(dst, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(r.Text)+1), 10)
	dst = append(append(dst, "\r\n\r\n"...), r.Text...)
	return append(dst, '\n')
}

// answerWriter gives ws.Upgrader a request out of memory and keeps its answer there.
type answerWriter struct {
	r bytes.Reader
	b []byte
}

func (a *answerWriter) Read(p []byte) (int, error) { return a.r.Read(p) }

func (a *answerWriter) Write(p []byte) (int, error) {
	a.b = append(a.b, p...)
	return len(p), nil
}
