package frame

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// Kind says what an Event is.
type Kind uint8

// What Next can find. None: nothing whole is there yet.
const (
	None Kind = iota
	Text
	Binary
	Ping
	Pong
	Close
)

// Event is one whole message or control frame of a client.
type Event struct {
	Kind Kind
	// Code of a Close, valid as RFC 6455 section 7.4 says; ws.StatusNoStatusRcvd if it carried none.
	Code ws.StatusCode
	// Payload is unmasked; of Text it is valid UTF-8, of Close it is the reason.
	// The slice is valid until the next Next or Reset.
	Payload []byte
}

// CloseError is a client's violation and the code to close its connection with.
type CloseError struct {
	Code   ws.StatusCode
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("frame: close %d: %s", e.Code, e.Reason) }

// Parser reads the frames of one client (RFC 6455 sections 5 to 8, server side) from whatever pieces the
// socket gives. The zero value is ready. It belongs to the goroutine that reads the connection.
type Parser struct {
	fragments *Buf      // of the message under way or just lent; nil otherwise
	checked   int32     // bytes of fragments known to be UTF-8
	need      int32     // see Need
	opcode    ws.OpCode // of the fragmented message under way; 0: none
	lent      bool      // fragments went out as an Event's payload
	done      bool      // a Close or an error came; nothing after it counts
}

// Next reads one event from the start of in, which it unmasks in place, and tells how many bytes it used
// up. With None the caller keeps in[n:], untouched, and calls again once more has come behind it. A
// message may have maxBytes over all its fragments; a header that promises more is refused at once. err
// is a *CloseError. After a Close or an error all input is used up and ignored.
func (p *Parser) Next(in []byte, maxBytes int) (ev Event, n int, err error) {
	if p.lent {
		p.Reset()
	}
	p.need = 0
	for !p.done {
		frame := in[n:]
		if len(frame) == 0 {
			return Event{}, n, nil
		}
		h, size, bad := ParseHeader(frame)
		if len(frame) < ws.MinHeaderSize {
			p.need = 1
			return Event{}, n, nil
		}
		// What the first two bytes say is judged first and alone, however many have come.
		first := h
		first.Length = int64(frame[1] & 0x7f)
		if wrong := ws.CheckHeader(first, p.state()); wrong != nil {
			bad = wrong
		}
		if bad != nil {
			return p.fail(ws.StatusProtocolError, bad.Error(), in)
		}
		// The mask, the last 4 bytes, is not waited for.
		if len(frame) >= size-4 {
			if size != ws.HeaderSize(h) {
				return p.fail(ws.StatusProtocolError, "length not in its shortest form", in)
			}
			if h.OpCode.IsData() && h.Length > int64(maxBytes)-int64(p.gathered()) {
				return p.fail(ws.StatusMessageTooBig, "message too big", in)
			}
		}
		if len(frame) < size {
			p.need = int32(size - len(frame))
			return Event{}, n, nil
		}
		// Control frames have at most 125 bytes, others at most maxBytes: the length fits an int.
		end := size + int(h.Length)
		if len(frame) < end {
			p.need = int32(min(end-len(frame), math.MaxInt32))
			return Event{}, n, nil
		}
		payload := frame[size:end:end]
		ws.Cipher(payload, h.Mask, 0)
		n += end
		ev, code, reason := p.take(h, payload)
		if reason != "" {
			return p.fail(code, reason, in)
		}
		if ev.Kind != None {
			return ev, n, nil
		}
	}
	return Event{}, len(in), nil
}

// Need tells after None how many bytes are missing until Next can get on, as far as is known yet; 0
// between frames.
func (p *Parser) Need() int { return int(p.need) }

// Reset gives back the fragments of a message under way. It must be called when the connection ends.
func (p *Parser) Reset() {
	if p.fragments != nil {
		p.fragments.Release()
	}
	*p = Parser{done: p.done}
}

func (p *Parser) fail(code ws.StatusCode, reason string, in []byte) (Event, int, error) {
	p.Reset()
	p.done = true
	return Event{}, len(in), &CloseError{Code: code, Reason: reason}
}

func (p *Parser) state() ws.State {
	if p.opcode != 0 {
		return ws.StateServerSide | ws.StateFragmented
	}
	return ws.StateServerSide
}

func (p *Parser) gathered() int {
	if p.fragments == nil {
		return 0
	}
	return len(p.fragments.B)
}

// take turns a checked, whole, unmasked frame into an event, or None for a fragment that others follow.
// reason is not empty if the connection must be closed with code.
func (p *Parser) take(h ws.Header, payload []byte) (ev Event, code ws.StatusCode, reason string) {
	switch h.OpCode {
	case ws.OpPing:
		return Event{Kind: Ping, Payload: payload}, 0, ""
	case ws.OpPong:
		return Event{Kind: Pong, Payload: payload}, 0, ""
	case ws.OpClose:
		return p.takeClose(payload)
	}
	if h.Fin && p.opcode == 0 {
		if h.OpCode == ws.OpBinary {
			return Event{Kind: Binary, Payload: payload}, 0, ""
		}
		if !utf8.Valid(payload) {
			return Event{}, ws.StatusInvalidFramePayloadData, "text is not UTF-8"
		}
		return Event{Kind: Text, Payload: payload}, 0, ""
	}
	return p.takeFragment(h, payload)
}

func (p *Parser) takeFragment(h ws.Header, payload []byte) (ev Event, code ws.StatusCode, reason string) {
	if p.opcode == 0 {
		p.opcode = h.OpCode
		p.fragments = Get(len(payload))
	}
	p.fragments = p.fragments.grown(len(payload))
	p.fragments.B = append(p.fragments.B, payload...)

	if p.opcode == ws.OpText && !p.checkText(h.Fin) {
		return Event{}, ws.StatusInvalidFramePayloadData, "text is not UTF-8"
	}
	if !h.Fin {
		return Event{}, 0, ""
	}
	ev = Event{Kind: Text, Payload: p.fragments.B}
	if p.opcode == ws.OpBinary {
		ev.Kind = Binary
	}
	p.opcode, p.lent = 0, true
	return ev, 0, ""
}

// checkText reports whether the text gathered so far is, or if more follows can become, UTF-8. Each
// fragment is looked at once, so that a long message in small pieces stays cheap and a bad one ends early.
func (p *Parser) checkText(last bool) bool {
	end := len(p.fragments.B)
	if !last {
		end -= cutRune(p.fragments.B)
	}
	ok := utf8.Valid(p.fragments.B[p.checked:end])
	p.checked = int32(end)
	return ok
}

// cutRune returns how many bytes at the end of b are the start of a rune whose rest is missing.
func cutRune(b []byte) int {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return i
		}
	}
	return 0
}

func (p *Parser) takeClose(payload []byte) (ev Event, code ws.StatusCode, reason string) {
	if len(payload) == 0 {
		p.done = true
		return Event{Kind: Close, Code: ws.StatusNoStatusRcvd}, 0, ""
	}
	if len(payload) == 1 {
		return Event{}, ws.StatusProtocolError, "close frame with half a code"
	}
	got := ws.StatusCode(binary.BigEndian.Uint16(payload))
	if !mayBeReceived(got) {
		return Event{}, ws.StatusProtocolError, "close code not allowed"
	}
	if !utf8.Valid(payload[2:]) {
		return Event{}, ws.StatusInvalidFramePayloadData, "close reason is not UTF-8"
	}
	p.done = true
	return Event{Kind: Close, Code: got, Payload: payload[2:]}, 0, ""
}

// mayBeReceived reports whether a client may close with code. ws knows RFC 6455 itself; IANA has
// registered three more since, and nothing is defined from 5000 up.
func mayBeReceived(code ws.StatusCode) bool {
	switch code {
	case StatusServiceRestart, StatusTryAgainLater, statusBadGateway:
		return true
	}
	return code < 5000 && ws.CheckCloseFrameData(code, "") == nil
}
