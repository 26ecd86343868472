package frame

import (
	"bytes"
	"unicode/utf8"
)

// decodeProto is Decode for a ClientMessage of nebula.proto. The fields of its oneof have the numbers of
// Type; the last one counts, and one that comes twice is merged, as protobuf has it.
func decodeProto(m *Msg, payload []byte, maxText int) Code {
	*m = Msg{}
	p := protoReader{b: payload}
	for len(p.b) > 0 {
		field, wire, ok := p.tag()
		if !ok {
			return CodeBadJSON
		}
		m.hasType = true
		if wire != wireBytes || field > uint64(TypePing) { // a type that is not known here
			if !p.skip(field, wire, 0) {
				return CodeBadJSON
			}
			continue
		}
		body, ok := p.bytes()
		if !ok {
			return CodeBadJSON
		}
		if t := Type(field); m.Type != t {
			// There is no telling an empty field from a missing one.
			*m = Msg{Type: t, hasType: true, hasRoom: true, hasText: true}
		}
		if !m.readProto(body) {
			return CodeBadJSON
		}
	}
	m.badText = bytes.IndexByte(m.Text, 0) >= 0
	return m.check(maxText)
}

// readProto reads the fields of the message for m.Type; false: it is none.
func (m *Msg) readProto(body []byte) bool {
	p := protoReader{b: body}
	for len(p.b) > 0 {
		field, wire, ok := p.tag()
		if !ok {
			return false
		}
		text, number, small := m.protoField(field, wire)
		switch {
		case text != nil:
			*text, ok = p.bytes()
			ok = ok && utf8.Valid(*text)
		case number != nil:
			*number, ok = p.number(m)
		case small != nil:
			var n uint64
			n, ok = p.number(m)
			*small = int(n)
		case m.Type == TypePing && field == 1 && wire == wireFixed64:
			m.T, ok = p.take(8)
		default:
			ok = p.skip(field, wire, 0)
		}
		if !ok {
			return false
		}
	}
	return true
}

// protoField returns where a field of m.Type's message goes and notes that it is there; nil: it is not
// known, which the wrong wire type makes it too.
func (m *Msg) protoField(field uint64, wire wireType) (text *[]byte, number *uint64, small *int) {
	type key struct {
		t     Type
		field uint64
		wire  wireType
	}
	switch (key{m.Type, field, wire}) {
	case key{TypeJoin, 1, wireBytes}, key{TypeLeave, 1, wireBytes}, key{TypeMessage, 1, wireBytes},
		key{TypeHistory, 1, wireBytes}, key{TypePresence, 1, wireBytes}, key{TypeTyping, 1, wireBytes}:
		return &m.Room, nil, nil
	case key{TypeJoin, 2, wireBytes}:
		m.HasEpoch = true
		return &m.Epoch, nil, nil
	case key{TypeJoin, 3, wireVarint}:
		m.hasAfter = true
		return nil, &m.After, nil
	case key{TypeMessage, 2, wireBytes}:
		return &m.Text, nil, nil
	case key{TypeMessage, 3, wireBytes}:
		m.HasID = true
		return &m.ID, nil, nil
	case key{TypeHistory, 2, wireVarint}:
		return nil, &m.Before, nil
	case key{TypePresence, 2, wireVarint}:
		return nil, nil, &m.Offset
	case key{TypeHistory, 3, wireVarint}, key{TypePresence, 3, wireVarint}:
		m.hasLimit = true
		return nil, nil, &m.Limit
	}
	return nil, nil, nil
}

// number reads a number from 0 to 2^53-1; a larger one makes m bad, and is 0.
func (p *protoReader) number(m *Msg) (uint64, bool) {
	n, ok := p.uvarint()
	if n > maxNumber {
		m.bad, n = true, 0
	}
	return n, ok
}
