package bus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"nebula/frame"
)

// What goes over a partition's channel, and into its log, starts with a byte that
// tells its kind. A format that changes gets a new kind, so that nodes of two versions
// never read one for the other.
const (
	kindEntry    byte = 1 // an Entry
	kindPresence byte = 2 // a delta of a node's members; wirenote.go
	kindTyping   byte = 3
	kindRaised   byte = 4 // the partition's epoch was raised, or opened: look at its head
)

// An entry is a head that the script writes, and a body that the node wrote.
//
//	head: kind, epoch u64, n u64, milli u64, count u16, count times seq u64 (0: the
//	      message was in the log before and is left out)
//	body: node string, sent u64, messages uvarint, the messages
//	message: flags, at flagPlace epoch u64, seq u64, milli u64; hash u64, room, user,
//	      name, id, text
//
// Integers are big endian; a string is its length, uvarint, and its bytes. A message
// without flagPlace takes the next seq of the head.
const (
	headBytes = 1 + 8 + 8 + 8 + 2

	flagPlace byte = 1 // the message brings its place along
)

var errWire = errors.New("bus: malformed entry")

// appendBodyHead begins a body.
func appendBodyHead(b []byte, node string, sent int64, messages int) []byte {
	b = appendString(b, node)
	b = binary.BigEndian.AppendUint64(b, uint64(sent))
	return binary.AppendUvarint(b, uint64(messages))
}

// appendMessage adds a message to a body; place: with its place.
func appendMessage(b []byte, m *Message, place bool) []byte {
	if place {
		b = append(b, flagPlace)
		b = binary.BigEndian.AppendUint64(b, m.Epoch)
		b = binary.BigEndian.AppendUint64(b, m.Seq)
		b = binary.BigEndian.AppendUint64(b, uint64(m.Milli))
	} else {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint64(b, m.Hash)
	b = appendString(b, m.Room)
	b = appendString(b, m.User)
	b = appendString(b, m.Name)
	b = appendString(b, m.ID)
	return appendString(b, m.Text)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendEntry writes e as the script would have, for what goes back into the log.
// Messages that are not of e's epoch bring their place along.
func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, kindEntry)
	b = binary.BigEndian.AppendUint64(b, e.Epoch)
	b = binary.BigEndian.AppendUint64(b, e.N)
	b = binary.BigEndian.AppendUint64(b, uint64(e.Milli))
	count := 0
	for i := range e.Messages {
		if e.Messages[i].Epoch == e.Epoch {
			count++
		}
	}
	b = binary.BigEndian.AppendUint16(b, uint16(count))
	for i := range e.Messages {
		if m := &e.Messages[i]; m.Epoch == e.Epoch {
			b = binary.BigEndian.AppendUint64(b, m.Seq)
		}
	}
	b = appendBodyHead(b, e.Node, e.Sent, len(e.Messages))
	for i := range e.Messages {
		b = appendMessage(b, &e.Messages[i], e.Messages[i].Epoch != e.Epoch)
	}
	return b
}

// decode reads s into e; e.Partition stays, and e.Messages is used again. What the
// script found to be in the log already is left out.
func (e *Entry) decode(s string) error {
	if len(s) < headBytes || s[0] != kindEntry {
		return fmt.Errorf("%w: no head of a version that is known", errWire)
	}
	r := reader{rest: s[1:]}
	e.Epoch, e.N, e.Milli = r.uint64(), r.uint64(), int64(r.uint64())
	seqs := reader{rest: r.take(8 * int(r.uint16()))}
	e.Node, e.Sent = r.string(), int64(r.uint64())
	e.Messages = e.Messages[:0]
	for left := r.uvarint(); left > 0 && !r.bad; left-- {
		e.message(&r, &seqs)
	}
	if r.bad || seqs.bad || len(r.rest) > 0 || len(seqs.rest) > 0 || e.Epoch == 0 || e.N == 0 || e.Milli < 0 || e.Sent < 0 {
		e.Messages = e.Messages[:0]
		return errWire
	}
	return nil
}

// message reads the next message, and its seq if it does not bring its own.
func (e *Entry) message(r, seqs *reader) {
	m := Message{Epoch: e.Epoch, Milli: e.Milli}
	switch flags := r.byte(); flags {
	case 0:
		m.Seq = seqs.uint64()
	case flagPlace:
		m.Restored = true
		m.Epoch, m.Seq, m.Milli = r.uint64(), r.uint64(), int64(r.uint64())
		if m.Seq == 0 || m.Milli < 0 || m.Epoch == e.Epoch {
			r.bad = true
		}
	default:
		r.bad = true
	}
	m.Hash = r.uint64()
	m.Room, m.User, m.Name, m.ID, m.Text = r.string(), r.string(), r.string(), r.string(), r.string()
	if m.Seq > frame.MaxSeq || m.Epoch > frame.MaxSeq {
		r.bad = true
	}
	if !r.bad && m.Seq != 0 {
		e.Messages = append(e.Messages, m)
	}
}

// reader takes bytes off the front of a string. Past its end, or at what is no
// number, it is bad and returns zeros.
type reader struct {
	rest string
	bad  bool
}

func (r *reader) take(n int) string {
	if n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, ""
		return ""
	}
	s := r.rest[:n]
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if s := r.take(1); s != "" {
		return s[0]
	}
	return 0
}

func (r *reader) uint16() uint16 { return uint16(r.number(2)) }

func (r *reader) uint64() uint64 { return r.number(8) }

func (r *reader) number(size int) (n uint64) {
	s := r.take(size)
	for i := range len(s) {
		n = n<<8 | uint64(s[i])
	}
	return n
}

// uvarint is encoding/binary's, which takes no string.
func (r *reader) uvarint() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := r.byte()
		if r.bad || shift == 63 && b > 1 {
			break
		}
		n |= uint64(b&0x7f) << shift
		if b < 0x80 {
			return n
		}
	}
	r.bad = true
	return 0
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > math.MaxInt32 {
		r.bad = true
		return ""
	}
	return r.take(int(n))
}
