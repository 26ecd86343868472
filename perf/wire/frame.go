package wire

import (
	"encoding/binary"
	"errors"
)

// Opcodes of RFC 6455 section 5.2.
const (
	OpContinuation = 0x0
	OpText         = 0x1
	OpBinary       = 0x2
	OpClose        = 0x8
	OpPing         = 0x9
	OpPong         = 0xA
)

// ErrFrame is returned for a frame that its side must not send.
var ErrFrame = errors.New("wire: bad frame")

// Frame is one frame as it lies in a buffer.
type Frame struct {
	Op      byte
	Fin     bool
	Payload []byte // aliases the buffer
	Size    int    // bytes of the buffer that the frame takes, header included
}

// Next reads one unmasked frame from the start of b. A Size of 0 means that it
// is not complete. The payload is valid as long as b is.
func Next(b []byte) (Frame, error) {
	return next(b, false)
}

// NextMasked is Next for what clients send; it unmasks in place.
func NextMasked(b []byte) (Frame, error) {
	return next(b, true)
}

func next(b []byte, masked bool) (Frame, error) {
	if len(b) < 2 {
		return Frame{}, nil
	}
	op, length, head := b[0]&0x0f, int(b[1]&0x7f), 2
	control := op >= OpClose
	if b[0]&0x70 != 0 || (b[1] >= 0x80) != masked || op > OpPong || op > OpBinary && !control ||
		control && (length > 125 || b[0] < 0x80) {
		return Frame{}, ErrFrame
	}
	switch length {
	case 126:
		if len(b) < 4 {
			return Frame{}, nil
		}
		head, length = 4, int(binary.BigEndian.Uint16(b[2:]))
		if length < 126 { // RFC 6455 section 5.2: the shortest form must be used
			return Frame{}, ErrFrame
		}
	case 127:
		if len(b) < 10 {
			return Frame{}, nil
		}
		long := binary.BigEndian.Uint64(b[2:])
		if long > 1<<31 || long < 1<<16 {
			return Frame{}, ErrFrame
		}
		head, length = 10, int(long)
	}
	if masked {
		head += 4
	}
	if len(b) < head+length {
		return Frame{}, nil
	}
	frame := Frame{Op: op, Fin: b[0] >= 0x80, Payload: b[head : head+length], Size: head + length}
	if masked {
		mask(frame.Payload, binary.LittleEndian.Uint32(b[head-4:]))
	}
	return frame, nil
}

// AppendMasked appends one final client frame.
func AppendMasked(dst []byte, op byte, payload []byte, key uint32) []byte {
	dst = appendHead(dst, op, len(payload), 0x80)
	dst = binary.LittleEndian.AppendUint32(dst, key)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key)
	return dst
}

// AppendFrame appends one final server frame.
func AppendFrame(dst []byte, op byte, payload []byte) []byte {
	return append(appendHead(dst, op, len(payload), 0), payload...)
}

// AppendClose appends the payload of a close frame.
func AppendClose(dst []byte, code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(dst, uint16(code)), reason...)
}

// CloseCode is the code in a close frame's payload; 1005 where there is none.
func CloseCode(payload []byte) int {
	if len(payload) < 2 {
		return 1005
	}
	return int(binary.BigEndian.Uint16(payload))
}

func appendHead(dst []byte, op byte, length int, bit byte) []byte {
	dst = append(dst, 0x80|op)
	switch {
	case length < 126:
		return append(dst, bit|byte(length))
	case length < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, bit|126), uint16(length))
	default:
		return binary.BigEndian.AppendUint64(append(dst, bit|127), uint64(length))
	}
}

// mask applies RFC 6455 section 5.3; it is its own inverse.
func mask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}
