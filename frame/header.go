package frame

import (
	"encoding/binary"

	"github.com/gobwas/ws"
)

// ParseHeader reads a frame header from the start of b without copying or allocating. size is the length
// of the whole header as far as b tells (2 at least); the header is complete when len(b) >= size. Before
// that, what has come is filled in already; Length stays the 7-bit field (126, 127) until the extended
// length is there. err is ws.ErrHeaderLengthMSB for a length with its highest bit set.
func ParseHeader(b []byte) (h ws.Header, size int, err error) {
	if len(b) < ws.MinHeaderSize {
		return h, ws.MinHeaderSize, nil
	}
	h.Fin = b[0]&0x80 != 0
	h.Rsv = b[0] >> 4 & 7
	h.OpCode = ws.OpCode(b[0] & 0x0f)
	h.Masked = b[1]&0x80 != 0
	h.Length = int64(b[1] & 0x7f)

	size = ws.MinHeaderSize
	switch h.Length {
	case 126:
		size += 2
		if len(b) >= size {
			h.Length = int64(binary.BigEndian.Uint16(b[2:]))
		}
	case 127:
		size += 8
		if len(b) > 2 && b[2]&0x80 != 0 {
			return h, size, ws.ErrHeaderLengthMSB
		}
		if len(b) >= size {
			h.Length = int64(binary.BigEndian.Uint64(b[2:]))
		}
	}
	if h.Masked {
		if len(b) >= size+4 {
			h.Mask = [4]byte(b[size:])
		}
		size += 4
	}
	return h, size, nil
}
