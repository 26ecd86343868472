package frame

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/gobwas/ws"
)

// Fields of ServerMessage in nebula.proto.
const (
	protoFieldWelcome = 1 + iota
	protoFieldJoined
	protoFieldLeft
	protoFieldMessage
	protoFieldAck
	protoFieldPresence
	protoFieldUsers
	protoFieldHistory
	protoFieldTyping
	protoFieldPong
	protoFieldError
	protoFieldGoodbye
)

// protoWriter is one ServerMessage under construction, as object is one in JSON. Fields that are zero are
// left out. All numbers of fields are below 16, so that a tag is one byte.
type protoWriter struct {
	b     []byte
	start int // of the frame
	body  int // of the message in the oneof
}

func beginProto(dst []byte, field int) protoWriter {
	w := protoWriter{start: len(dst), b: openFrame(dst)}
	w.body = w.open(field)
	return w
}

func (w *protoWriter) end() []byte {
	w.close(w.body)
	return closeFrame(w.b, w.start, ws.OpBinary)
}

func (w *protoWriter) tag(field int, wire wireType) { w.b = append(w.b, byte(field)<<3|byte(wire)) }

func (w *protoWriter) string(field int, s string) { w.bytes(field, view(s)) }

func (w *protoWriter) bytes(field int, s []byte) {
	if len(s) > 0 {
		w.tag(field, wireBytes)
		s = repaired(s) // a string of protobuf is UTF-8
		w.b = append(binary.AppendUvarint(w.b, uint64(len(s))), s...)
	}
}

func (w *protoWriter) number(field int, n uint64) {
	if n != 0 {
		w.tag(field, wireVarint)
		w.b = binary.AppendUvarint(w.b, n)
	}
}

func (w *protoWriter) bool(field int, v bool) {
	if v {
		w.number(field, 1)
	}
}

func (w *protoWriter) double(field int, v float64) {
	if v != 0 {
		w.tag(field, wireFixed64)
		w.b = binary.LittleEndian.AppendUint64(w.b, math.Float64bits(v))
	}
}

// open begins a message in a field; close, given what open returned, completes it. One byte is left for
// its length, and a longer message moved.
func (w *protoWriter) open(field int) (body int) {
	w.tag(field, wireBytes)
	w.b = append(w.b, 0)
	return len(w.b)
}

func (w *protoWriter) close(body int) {
	n := len(w.b) - body
	if n < 0x80 {
		w.b[body-1] = byte(n)
		return
	}
	var room [binary.MaxVarintLen64]byte
	size := binary.PutUvarint(room[:], uint64(n))
	w.b = append(w.b, room[:size-1]...)
	copy(w.b[body+size-1:], w.b[body:body+n])
	copy(w.b[body-1:], room[:size])
}

func (w *protoWriter) users(field int, users []User) {
	for i := range users {
		body := w.open(field)
		w.string(1, users[i].ID)
		w.string(2, users[i].Name)
		w.close(body)
	}
}

func (w *protoWriter) messages(field int, messages []*Buf) {
	for _, m := range messages {
		body := w.open(field)
		w.message(m)
		w.close(body)
	}
}

func protoMessage(dst []byte, m *Buf) []byte {
	w := beginProto(dst, protoFieldMessage)
	w.message(m)
	return w.end()
}

func protoWelcome(dst []byte, o Welcome) []byte {
	w := beginProto(dst, protoFieldWelcome)
	w.string(1, o.User)
	w.string(2, o.Name)
	w.string(3, o.Node)
	w.string(4, o.Version)
	w.number(5, uint64(o.HeartbeatMS))
	limits := w.open(6)
	w.number(1, uint64(o.TextBytes))
	w.number(2, uint64(o.FrameBytes))
	w.number(3, uint64(o.Rooms))
	w.double(4, o.Rate)
	w.number(5, uint64(o.Burst))
	w.close(limits)
	return w.end()
}

func protoJoined(dst []byte, j Joined) []byte {
	w := beginProto(dst, protoFieldJoined)
	w.string(1, j.Room)
	epoch := w.open(2)
	w.b = strconv.AppendUint(w.b, j.Epoch, 10)
	w.close(epoch)
	w.number(3, j.Seq)
	w.users(4, j.Users)
	w.number(5, uint64(j.Count))
	w.messages(6, j.Messages)
	w.bool(7, j.Complete)
	return w.end()
}

func protoLeft(dst []byte, room string) []byte {
	w := beginProto(dst, protoFieldLeft)
	w.string(1, room)
	return w.end()
}

func protoAck(dst []byte, room string, id []byte, seq uint64, milli int64) []byte {
	w := beginProto(dst, protoFieldAck)
	w.string(1, room)
	w.bytes(2, id)
	w.number(3, seq)
	w.number(4, uint64(milli))
	return w.end()
}

func protoPresence(dst []byte, room string, count int, joined, left []User) []byte {
	w := beginProto(dst, protoFieldPresence)
	w.string(1, room)
	w.number(2, uint64(count))
	w.users(3, joined)
	w.users(4, left)
	return w.end()
}

func protoUsers(dst []byte, room string, offset, count int, users []User) []byte {
	w := beginProto(dst, protoFieldUsers)
	w.string(1, room)
	w.number(2, uint64(offset))
	w.number(3, uint64(count))
	w.users(4, users)
	return w.end()
}

func protoHistory(dst []byte, room string, messages []*Buf, more bool) []byte {
	w := beginProto(dst, protoFieldHistory)
	w.string(1, room)
	w.messages(2, messages)
	w.bool(3, more)
	return w.end()
}

func protoTyping(dst []byte, room, user, name string) []byte {
	w := beginProto(dst, protoFieldTyping)
	w.string(1, room)
	w.string(2, user)
	w.string(3, name)
	return w.end()
}

func protoPong(dst, t []byte) []byte {
	w := beginProto(dst, protoFieldPong)
	if len(t) == 8 {
		w.tag(1, wireFixed64)
		w.b = append(w.b, t...)
	}
	return w.end()
}

func protoError(dst []byte, code Code, room string, id []byte, retryMS int, sentence string) []byte {
	w := beginProto(dst, protoFieldError)
	w.string(1, code.String())
	w.string(2, sentence)
	w.string(3, room)
	w.bytes(4, id)
	w.number(5, uint64(retryMS))
	return w.end()
}

func protoGoodbye(dst []byte, reason string, retryMS int) []byte {
	w := beginProto(dst, protoFieldGoodbye)
	w.string(1, reason)
	w.number(2, uint64(retryMS))
	return w.end()
}
