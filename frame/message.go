package frame

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/gobwas/ws"
)

// A message event starts the same way always, so that the blanks for seq and time stand at fixed places.
// Blanks before a number are valid JSON, so a shorter number simply leaves some.
const (
	msgToSeq  = `{"type":"message","seq":`
	msgToTime = `                ,"time":`
	msgToRoom = `             ,"room":`
	msgOpen   = msgToSeq + msgToTime + msgToRoom
	msgToID   = `,"id":`
	msgToUser = `,"user":`
	msgToName = `,"name":`
	msgToText = `,"text":`

	seqWidth  = 16 // digits of 2^53-1
	timeWidth = 13 // digits of Unix milliseconds until the year 2286
	seqAt     = len(msgToSeq)
	timeAt    = seqAt + len(msgToTime)

	// MaxSeq is the largest seq and epoch: browsers count exactly up to it (protocol.md section 3).
	MaxSeq   = 1<<53 - 1
	maxMilli = 1e13 - 1
)

// layout tells where things stand in B of a message: header, JSON object, raw id, raw text.
type layout struct {
	head, end, idEnd int // ends of the header, of the object, of the id
	seq              uint64
	milli            int64
	stamped          bool
}

// EncodeMessage returns one chat message as it goes to every member of its room, encoded once, with
// blanks where Stamp will write. Behind the frame, not part of Bytes, it carries id and text as they are.
// text is UTF-8 without escapes. The Buf has one reference, the caller's.
func EncodeMessage(room string, id []byte, user, name string, text []byte) *Buf {
	size := len(msgOpen) + stringSize(view(room)) +
		len(msgToID) + stringSize(id) +
		len(msgToUser) + stringSize(view(user)) +
		len(msgToName) + stringSize(view(name)) +
		len(msgToText) + stringSize(text) + len("}")
	buf := Get(maxServerHeader + size + len(id) + len(text))

	b := appendHeader(buf.B, ws.OpText, size)
	buf.msg.head = len(b)
	b = append(b, msgOpen...)
	b = appendString(b, view(room))
	b = append(b, msgToID...)
	b = appendString(b, id)
	b = append(b, msgToUser...)
	b = appendString(b, view(user))
	b = append(b, msgToName...)
	b = appendString(b, view(name))
	b = append(b, msgToText...)
	b = appendString(b, text)
	b = append(b, '}')
	buf.msg.end = len(b)
	b = append(b, id...)
	buf.msg.idEnd = len(b)
	buf.B = append(b, text...)
	return buf
}

// Stamp writes seq and time into the blanks. The caller must be the only one who touches the bytes of
// the Buf; from here on nobody may write to them. A time out of range is written as the nearest in it.
func (b *Buf) Stamp(seq uint64, unixMilli int64) {
	if b.msg.end == 0 || b.msg.stamped || seq > MaxSeq {
		panic("frame: Stamp of what is not a fresh message, or seq out of range")
	}
	b.msg.seq = seq
	b.msg.milli = min(max(unixMilli, 0), maxMilli)
	b.msg.stamped = true

	var digits [20]byte
	object := b.B[b.msg.head:b.msg.end]
	n := strconv.AppendUint(digits[:0], b.msg.seq, 10)
	copy(object[seqAt+seqWidth-len(n):seqAt+seqWidth], n)
	n = strconv.AppendInt(digits[:0], b.msg.milli, 10)
	copy(object[timeAt+timeWidth-len(n):timeAt+timeWidth], n)
	b.debug.frozen(b)
}

// Payload returns a message's JSON object without the frame header.
func (b *Buf) Payload() []byte { return b.B[b.msg.head:b.msg.end] }

// ID returns a message's id as it was given to EncodeMessage.
func (b *Buf) ID() []byte { return b.B[b.msg.end:b.msg.idEnd] }

// Text returns a message's text as it was given to EncodeMessage.
func (b *Buf) Text() []byte { return b.B[b.msg.idEnd:] }

// Seq returns a message's seq; 0 before Stamp.
func (b *Buf) Seq() uint64 { return b.msg.seq }

// Milli returns a message's time in Unix milliseconds; 0 before Stamp.
func (b *Buf) Milli() int64 { return b.msg.milli }

// Hash names a message of user by 64 bits: the first 8 bytes, big endian, of SHA-256(user 0x00 id). It is
// stored in the database and compared between nodes, so it must never change.
func Hash(user string, id []byte) uint64 {
	var room [128]byte // a user id of ours and the longest id fit
	in := append(room[:0], user...)
	in = append(in, 0)
	in = append(in, id...)
	sum := sha256.Sum256(in)
	return binary.BigEndian.Uint64(sum[:8])
}
