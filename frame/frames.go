package frame

import (
	"encoding/binary"
	"math"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

// maxServerHeader is the longest header of a frame without mask.
const maxServerHeader = ws.MaxHeaderSize - 4

// AppendClose appends a close frame. A reason too long for it is cut between characters. With code 0 or
// ws.StatusNoStatusRcvd the frame is empty, as an answer to an empty one.
func AppendClose(dst []byte, code ws.StatusCode, reason string) []byte {
	if code == 0 || code == ws.StatusNoStatusRcvd {
		return appendControl(dst, ws.OpClose, nil)
	}
	n := min(len(reason), ws.MaxControlFramePayloadSize-2)
	for n < len(reason) && n > 0 && !utf8.RuneStart(reason[n]) {
		n--
	}
	dst = append(dst, 0x80|byte(ws.OpClose), byte(2+n))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason[:n]...)
}

// AppendPing appends a ping frame. payload must have at most 125 bytes; what is more is left out.
func AppendPing(dst, payload []byte) []byte { return appendControl(dst, ws.OpPing, payload) }

// AppendPong appends a pong frame, with the payload of the ping that it answers.
func AppendPong(dst, payload []byte) []byte { return appendControl(dst, ws.OpPong, payload) }

func appendControl(dst []byte, op ws.OpCode, payload []byte) []byte {
	payload = payload[:min(len(payload), ws.MaxControlFramePayloadSize)]
	dst = append(dst, 0x80|byte(op), byte(len(payload)))
	return append(dst, payload...)
}

// EndOfFrame returns the end of the frame of b that contains byte off, or off itself where a frame ends.
// b holds whole server frames. It lets a connection drop what is queued behind the frame in flight.
func EndOfFrame(b []byte, off int) int {
	end := 0
	for end < off {
		h, size, err := ParseHeader(b[end:])
		if err != nil || h.Length > int64(len(b)-end-size) {
			return len(b)
		}
		end += size + int(h.Length)
	}
	return end
}

// appendHeader appends the header of an unmasked frame of n bytes, op being text or binary.
func appendHeader(dst []byte, op ws.OpCode, n int) []byte {
	dst = append(dst, 0x80|byte(op))
	switch {
	case n < 126:
		return append(dst, byte(n))
	case n <= math.MaxUint16:
		return binary.BigEndian.AppendUint16(append(dst, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(dst, 127), uint64(n))
	}
}

// headerRoom is what openFrame leaves for the header: right for 126 to 65,535 bytes, which moving a
// shorter or a very long payload makes up for.
const headerRoom = 4

// openFrame begins a frame whose length is not known yet; closeFrame, given the length that dst had
// before, completes it.
func openFrame(dst []byte) []byte { return append(dst, make([]byte, headerRoom)...) }

func closeFrame(dst []byte, start int, op ws.OpCode) []byte {
	n := len(dst) - start - headerRoom
	var room [maxServerHeader]byte
	header := appendHeader(room[:0], op, n)
	if d := len(header) - headerRoom; d != 0 {
		if d > 0 {
			dst = append(dst, room[:d]...)
		}
		copy(dst[start+len(header):], dst[start+headerRoom:start+headerRoom+n])
		dst = dst[:start+len(header)+n]
	}
	copy(dst[start:], header)
	return dst
}
