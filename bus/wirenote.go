package bus

import (
	"encoding/binary"
	"errors"
)

// A notice is what a node tells the others about its members. Integers and strings are
// those of an entry; see wire.go.
//
//	presence: kind, node string, what byte, version u64, changes uvarint, the changes
//	change:   1, room, user, since u48, name: is here; or 0, room, user: is not
//	typing:   kind, node, room, user, name
type notice struct {
	node    string
	what    byte
	version uint64 // of the node's members after it
	changes []change
}

// What a notice of presence says.
const (
	noticeDelta byte = 0 // the changes from the version before
	noticeWhole byte = 1 // the members were written anew: read them
	noticeGone  byte = 2 // the node leaves, and all its members with it
)

// change says that a user is, or is no longer, in a room on one node.
type change struct {
	room, user string
	face       face
	here       bool
}

// face is how a user is shown, and since when by the clock of the node that it is on,
// Unix ms: of several nodes' the newest counts.
type face struct {
	name  string
	since int64
}

var errNotice = errors.New("bus: malformed notice")

const sinceBytes = 6

func appendFace(b []byte, f face) []byte {
	var since [8]byte
	binary.BigEndian.PutUint64(since[:], uint64(f.since))
	b = append(b, since[8-sinceBytes:]...)
	return append(b, f.name...)
}

// parseFace reads what appendFace wrote; what is too short is a face without a name.
func parseFace(s string) face {
	r := reader{rest: s}
	since := int64(r.number(sinceBytes))
	return face{name: r.rest, since: since}
}

func appendPresence(b []byte, n *notice) []byte {
	b = append(b, kindPresence)
	b = appendString(b, n.node)
	b = append(b, n.what)
	b = binary.BigEndian.AppendUint64(b, n.version)
	b = binary.AppendUvarint(b, uint64(len(n.changes)))
	for i := range n.changes {
		c := &n.changes[i]
		here := byte(0)
		if c.here {
			here = 1
		}
		b = append(b, here)
		b = appendString(b, c.room)
		b = appendString(b, c.user)
		if c.here {
			var since [8]byte
			binary.BigEndian.PutUint64(since[:], uint64(c.face.since))
			b = append(b, since[8-sinceBytes:]...)
			b = appendString(b, c.face.name)
		}
	}
	return b
}

// decode reads s, which n's strings alias from then on.
func (n *notice) decode(s string) error {
	r := reader{rest: s}
	if r.byte() != kindPresence {
		return errNotice
	}
	n.node, n.what, n.version, n.changes = r.string(), r.byte(), r.uint64(), n.changes[:0]
	for left := r.uvarint(); left > 0 && !r.bad; left-- {
		here := r.byte()
		c := change{here: here == 1, room: r.string(), user: r.string()}
		if c.here {
			c.face = face{since: int64(r.number(sinceBytes)), name: r.string()}
		}
		r.bad = r.bad || here > 1
		n.changes = append(n.changes, c)
	}
	if r.bad || len(r.rest) > 0 || n.node == "" || n.what > noticeGone {
		n.changes = n.changes[:0]
		return errNotice
	}
	return nil
}

func appendTyping(b []byte, node, room, user, name string) []byte {
	b = append(b, kindTyping)
	b = appendString(b, node)
	b = appendString(b, room)
	b = appendString(b, user)
	return appendString(b, name)
}

// decodeTyping reads what appendTyping wrote; its results alias s.
func decodeTyping(s string) (node, room, user, name string, err error) {
	r := reader{rest: s}
	if r.byte() != kindTyping {
		return "", "", "", "", errNotice
	}
	node, room, user, name = r.string(), r.string(), r.string(), r.string()
	if r.bad || len(r.rest) > 0 || node == "" {
		return "", "", "", "", errNotice
	}
	return node, room, user, name, nil
}
