package frame

import "encoding/binary"

// wireType is how a field of protobuf is written (protobuf.dev, "Encoding").
type wireType uint8

const (
	wireVarint  wireType = 0
	wireFixed64 wireType = 1
	wireBytes   wireType = 2
	wireGroup   wireType = 3
	wireEnd     wireType = 4
	wireFixed32 wireType = 5

	maxField = 1<<29 - 1
)

// protoReader takes fields off the front of b. Its methods return false for what is no protobuf.
type protoReader struct{ b []byte }

func (p *protoReader) uvarint() (uint64, bool) {
	v, n := binary.Uvarint(p.b)
	if n <= 0 { // cut off, or more than 64 bits
		return 0, false
	}
	p.b = p.b[n:]
	return v, true
}

func (p *protoReader) tag() (field uint64, wire wireType, ok bool) {
	v, ok := p.uvarint()
	field = v >> 3
	return field, wireType(v & 7), ok && field >= 1 && field <= maxField
}

func (p *protoReader) take(n uint64) ([]byte, bool) {
	if n > uint64(len(p.b)) {
		return nil, false
	}
	b := p.b[:n:n]
	p.b = p.b[n:]
	return b, true
}

func (p *protoReader) bytes() ([]byte, bool) {
	n, ok := p.uvarint()
	if !ok {
		return nil, false
	}
	return p.take(n)
}

// skip takes the value of a field that is not known.
func (p *protoReader) skip(field uint64, wire wireType, depth int) bool {
	ok := false
	switch wire {
	case wireVarint:
		_, ok = p.uvarint()
	case wireFixed64:
		_, ok = p.take(8)
	case wireBytes:
		_, ok = p.bytes()
	case wireFixed32:
		_, ok = p.take(4)
	case wireGroup:
		return p.skipGroup(field, depth)
	}
	return ok
}

// skipGroup takes what is left of the group field, up to its end.
func (p *protoReader) skipGroup(group uint64, depth int) bool {
	if depth >= maxDepth {
		return false
	}
	for {
		field, wire, ok := p.tag()
		switch {
		case !ok:
			return false
		case wire == wireEnd:
			return field == group
		case !p.skip(field, wire, depth+1):
			return false
		}
	}
}
