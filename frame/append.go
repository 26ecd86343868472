package frame

import (
	"strconv"

	"github.com/gobwas/ws"
)

// User is one entry of a list of people.
type User struct{ ID, Name string }

// Welcome is the first message on a connection; protocol.md section 3.
type Welcome struct {
	User, Name, Node, Version string
	HeartbeatMS               int     // milliseconds
	TextBytes, FrameBytes     int     // bytes
	Rooms                     int     // joined at once
	Rate                      float64 // messages a second; 0: no limit
	Burst                     int     // messages at once
}

// Joined answers a join. The payloads of Messages are copied, oldest first.
type Joined struct {
	Room       string
	Epoch, Seq uint64
	Users      []User
	Count      int
	Messages   []*Buf
	Complete   bool
}

// object is one server message under construction: Append functions below chain its fields.
type object struct {
	b     []byte
	start int
}

func begin(dst []byte, kind string) object {
	o := object{start: len(dst)}
	o.b = append(openFrame(dst), `{"type":"`...)
	o.b = append(append(o.b, kind...), '"')
	return o
}

func (o *object) key(name string) {
	o.b = append(append(append(o.b, `,"`...), name...), `":`...)
}

func (o *object) string(name, value string) { o.key(name); o.b = appendString(o.b, view(value)) }
func (o *object) number(name string, value uint64) {
	o.key(name)
	o.b = strconv.AppendUint(o.b, value, 10)
}

func (o *object) bool(name string, value bool) {
	o.key(name)
	o.b = strconv.AppendBool(o.b, value)
}

func (o *object) users(name string, users []User) {
	o.key(name)
	o.b = append(o.b, '[')
	for i := range users {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, `{"user":`...)
		o.b = appendString(o.b, view(users[i].ID))
		o.b = append(o.b, `,"name":`...)
		o.b = append(appendString(o.b, view(users[i].Name)), '}')
	}
	o.b = append(o.b, ']')
}

func (o *object) messages(messages []*Buf) {
	o.key("messages")
	o.b = append(o.b, '[')
	for i, m := range messages {
		if i > 0 {
			o.b = append(o.b, ',')
		}
		o.b = append(o.b, m.Payload()...)
	}
	o.b = append(o.b, ']')
}

func (o *object) end() []byte { return closeFrame(append(o.b, '}'), o.start, ws.OpText) }

// AppendWelcome appends one text frame with a `welcome`.
func AppendWelcome(dst []byte, w Welcome) []byte {
	o := begin(dst, "welcome")
	o.string("user", w.User)
	o.string("name", w.Name)
	o.string("node", w.Node)
	o.string("version", w.Version)
	o.number("heartbeat_ms", uint64(w.HeartbeatMS))
	o.key("limits")
	o.b = append(o.b, `{"text_bytes":`...)
	o.b = strconv.AppendInt(o.b, int64(w.TextBytes), 10)
	o.number("frame_bytes", uint64(w.FrameBytes))
	o.number("rooms", uint64(w.Rooms))
	o.key("rate")
	o.b = strconv.AppendFloat(o.b, w.Rate, 'f', -1, 64)
	o.number("burst", uint64(w.Burst))
	o.b = append(o.b, '}')
	return o.end()
}

// AppendJoined appends one text frame with a `joined`.
func AppendJoined(dst []byte, j Joined) []byte {
	o := begin(dst, "joined")
	o.string("room", j.Room)
	o.key("epoch")
	o.b = append(strconv.AppendUint(append(o.b, '"'), j.Epoch, 10), '"')
	o.number("seq", j.Seq)
	o.users("users", j.Users)
	o.number("count", uint64(j.Count))
	o.messages(j.Messages)
	o.bool("complete", j.Complete)
	return o.end()
}

// AppendLeft appends one text frame with a `left`.
func AppendLeft(dst []byte, room string) []byte {
	o := begin(dst, "left")
	o.string("room", room)
	return o.end()
}

// AppendAck appends one text frame with an `ack`; milli is the message's time, Unix ms.
func AppendAck(dst []byte, room string, id []byte, seq uint64, milli int64) []byte {
	o := begin(dst, "ack")
	o.string("room", room)
	o.key("id")
	o.b = appendString(o.b, id)
	o.number("seq", seq)
	o.number("time", uint64(milli))
	return o.end()
}

// AppendPresence appends one text frame with a `presence`; an empty list is left out.
func AppendPresence(dst []byte, room string, count int, joined, left []User) []byte {
	o := begin(dst, "presence")
	o.string("room", room)
	o.number("count", uint64(count))
	if len(joined) > 0 {
		o.users("joined", joined)
	}
	if len(left) > 0 {
		o.users("left", left)
	}
	return o.end()
}

// AppendUsers appends one text frame with a `users`.
func AppendUsers(dst []byte, room string, offset, count int, users []User) []byte {
	o := begin(dst, "users")
	o.string("room", room)
	o.number("offset", uint64(offset))
	o.number("count", uint64(count))
	o.users("users", users)
	return o.end()
}

// AppendHistory appends one text frame with a `history`.
func AppendHistory(dst []byte, room string, messages []*Buf, more bool) []byte {
	o := begin(dst, "history")
	o.string("room", room)
	o.messages(messages)
	o.bool("more", more)
	return o.end()
}

// AppendTyping appends one text frame with a `typing`.
func AppendTyping(dst []byte, room, user, name string) []byte {
	o := begin(dst, "typing")
	o.string("room", room)
	o.string("user", user)
	o.string("name", name)
	return o.end()
}

// AppendPongT appends one text frame with a `pong`; t is a JSON number as written, or empty.
func AppendPongT(dst, t []byte) []byte {
	o := begin(dst, "pong")
	if len(t) > 0 {
		o.key("t")
		o.b = append(o.b, t...)
	}
	return o.end()
}

// AppendError appends one text frame with an `error`; room, id and retryMS are left out where they are empty,
// and "" as sentence stands for code.Sentence.
func AppendError(dst []byte, code Code, room string, id []byte, retryMS int, sentence string) []byte {
	o := begin(dst, "error")
	o.string("code", code.String())
	if sentence == "" {
		sentence = code.Sentence()
	}
	o.string("message", sentence)
	if room != "" {
		o.string("room", room)
	}
	if len(id) > 0 {
		o.key("id")
		o.b = appendString(o.b, id)
	}
	if retryMS > 0 {
		o.number("retry_ms", uint64(retryMS))
	}
	return o.end()
}

// AppendGoodbye appends one text frame with a `goodbye`.
func AppendGoodbye(dst []byte, reason string, retryMS int) []byte {
	o := begin(dst, "goodbye")
	o.string("reason", reason)
	o.number("retry_ms", uint64(retryMS))
	return o.end()
}
