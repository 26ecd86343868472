package frame

// Codec is a sub-protocol: how the chat messages of a connection are written. Its zero value is JSON.
type Codec uint8

// The sub-protocols of protocol.md section 1.
const (
	JSON   Codec  = iota // nebula.v1.json: text messages
	Proto                // nebula.v1.proto: binary messages, nebula.proto is the schema
	Codecs = iota        // how many there are
)

// String returns the codec's name in Sec-WebSocket-Protocol.
func (c Codec) String() string {
	if c == Proto {
		return "nebula.v1.proto"
	}
	return "nebula.v1.json"
}

// Kind is what a message of a client must be.
func (c Codec) Kind() Kind {
	if c == Proto {
		return Binary
	}
	return Text
}

// Decode reads one message of a client into m, as the function Decode says for JSON. Protobuf is not
// changed; what cannot be read is CodeBadJSON in both.
func (c Codec) Decode(m *Msg, payload []byte, maxText int) Code {
	if c == Proto {
		return decodeProto(m, payload, maxText)
	}
	return Decode(m, payload, maxText)
}

// AppendMessage appends one frame with a stamped message of EncodeMessage. In JSON it is m.Bytes, which
// needs no copy where it is sent alone.
func (c Codec) AppendMessage(dst []byte, m *Buf) []byte {
	if c == Proto {
		return protoMessage(dst, m)
	}
	return append(dst, m.Bytes()...)
}

// AppendWelcome appends one frame with a `welcome`.
func (c Codec) AppendWelcome(dst []byte, w Welcome) []byte {
	if c == Proto {
		return protoWelcome(dst, w)
	}
	return AppendWelcome(dst, w)
}

// AppendJoined appends one frame with a `joined`.
func (c Codec) AppendJoined(dst []byte, j Joined) []byte {
	if c == Proto {
		return protoJoined(dst, j)
	}
	return AppendJoined(dst, j)
}

// AppendLeft appends one frame with a `left`.
func (c Codec) AppendLeft(dst []byte, room string) []byte {
	if c == Proto {
		return protoLeft(dst, room)
	}
	return AppendLeft(dst, room)
}

// AppendAck appends one frame with an `ack`; milli is the message's time, Unix ms.
func (c Codec) AppendAck(dst []byte, room string, id []byte, seq uint64, milli int64) []byte {
	if c == Proto {
		return protoAck(dst, room, id, seq, milli)
	}
	return AppendAck(dst, room, id, seq, milli)
}

// AppendPresence appends one frame with a `presence`; an empty list is left out.
func (c Codec) AppendPresence(dst []byte, room string, count int, joined, left []User) []byte {
	if c == Proto {
		return protoPresence(dst, room, count, joined, left)
	}
	return AppendPresence(dst, room, count, joined, left)
}

// AppendUsers appends one frame with a `users`.
func (c Codec) AppendUsers(dst []byte, room string, offset, count int, users []User) []byte {
	if c == Proto {
		return protoUsers(dst, room, offset, count, users)
	}
	return AppendUsers(dst, room, offset, count, users)
}

// AppendHistory appends one frame with a `history`.
func (c Codec) AppendHistory(dst []byte, room string, messages []*Buf, more bool) []byte {
	if c == Proto {
		return protoHistory(dst, room, messages, more)
	}
	return AppendHistory(dst, room, messages, more)
}

// AppendTyping appends one frame with a `typing`.
func (c Codec) AppendTyping(dst []byte, room, user, name string) []byte {
	if c == Proto {
		return protoTyping(dst, room, user, name)
	}
	return AppendTyping(dst, room, user, name)
}

// AppendPongT appends one frame with a `pong`; t is Msg.T of a ping in the same codec.
func (c Codec) AppendPongT(dst, t []byte) []byte {
	if c == Proto {
		return protoPong(dst, t)
	}
	return AppendPongT(dst, t)
}

// AppendError appends one frame with an `error`, as the function AppendError says.
func (c Codec) AppendError(dst []byte, code Code, room string, id []byte, retryMS int, sentence string) []byte {
	if sentence == "" {
		sentence = code.Sentence()
	}
	if c == Proto {
		return protoError(dst, code, room, id, retryMS, sentence)
	}
	return AppendError(dst, code, room, id, retryMS, sentence)
}

// AppendGoodbye appends one frame with a `goodbye`.
func (c Codec) AppendGoodbye(dst []byte, reason string, retryMS int) []byte {
	if c == Proto {
		return protoGoodbye(dst, reason, retryMS)
	}
	return AppendGoodbye(dst, reason, retryMS)
}
