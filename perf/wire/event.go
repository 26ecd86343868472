package wire

import (
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// maxNumber is the largest number that browsers count exactly to.
const maxNumber = 1<<53 - 1

// Kind is the type of a server's chat message.
type Kind uint8

// The types of protocol.md section 3.
const (
	KindOther Kind = iota
	KindWelcome
	KindJoined
	KindLeft
	KindMessage
	KindAck
	KindPresence
	KindUsers
	KindHistory
	KindTyping
	KindPong
	KindError
	KindGoodbye
)

// ErrEvent is returned for a payload that is no chat message of the protocol: not one object, an
// unknown type, or a field that is missing or of the wrong kind.
var ErrEvent = errors.New("wire: bad event")

// Event is one chat message of a server. Slices alias the payload; strings are
// as they were written, escapes not undone; a field that is absent is zero.
type Event struct {
	Kind                          Kind
	Room, Epoch, ID, User, Name   []byte
	Text, Code, Node              []byte
	Messages, Users, Joined, Left []byte // raw arrays
	Seq, Time, Count, RetryMS     uint64
	Complete, More                bool

	has field
}

// field is a set of keys.
type field uint32

const (
	hasRoom field = 1 << iota
	hasEpoch
	hasID
	hasUser
	hasName
	hasText
	hasCode
	hasNode
	hasMessages
	hasUsers
	hasSeq
	hasTime
	hasCount
	hasComplete
	hasMore
	hasReason
	hasRetry
	hasSentence
	hasVersion
	hasHeartbeat
	hasLimits
	hasT
	hasOffset
)

// required is what each type must carry: "no field of the table is left out".
var required = [...]field{
	KindWelcome:  hasUser | hasName | hasNode | hasVersion | hasHeartbeat | hasLimits,
	KindJoined:   hasRoom | hasEpoch | hasSeq | hasUsers | hasCount | hasMessages | hasComplete,
	KindLeft:     hasRoom,
	KindMessage:  hasRoom | hasSeq | hasID | hasUser | hasName | hasText | hasTime,
	KindAck:      hasRoom | hasID | hasSeq | hasTime,
	KindPresence: hasRoom | hasCount,
	KindUsers:    hasRoom | hasOffset | hasCount | hasUsers,
	KindHistory:  hasRoom | hasMessages | hasMore,
	KindTyping:   hasRoom | hasUser | hasName,
	KindPong:     0,
	KindError:    hasCode | hasSentence,
	KindGoodbye:  hasReason | hasRetry,
}

// Decode reads payload into e, without allocation. What e holds is valid as long as payload is.
func (e *Event) Decode(payload []byte) error {
	*e = Event{}
	good := true
	whole := Each(payload, func(key, value []byte) bool {
		good = e.take(key, value)
		return good
	})
	if !whole || !good || e.Kind == KindOther || payload[len(payload)-1] != '}' {
		return ErrEvent
	}
	if need := required[e.Kind]; e.has&need != need {
		return ErrEvent
	}
	return nil
}

// Valid looks at a payload as a whole: one JSON value in UTF-8, judged by encoding/json.
func Valid(payload []byte) bool {
	return utf8.Valid(payload) && json.Valid(payload)
}

// take reports whether the value is of the kind that its key has.
func (e *Event) take(key, value []byte) bool {
	switch string(key) {
	case "type":
		e.Kind = kindOf(Str(value))
		return e.Kind != KindOther
	case "room":
		return e.str(&e.Room, value, hasRoom)
	case "epoch":
		return e.str(&e.Epoch, value, hasEpoch)
	case "id":
		return e.str(&e.ID, value, hasID)
	case "user":
		return e.str(&e.User, value, hasUser)
	case "name":
		return e.str(&e.Name, value, hasName)
	case "text":
		return e.str(&e.Text, value, hasText)
	case "code":
		return e.str(&e.Code, value, hasCode)
	case "node":
		return e.str(&e.Node, value, hasNode)
	case "messages":
		return e.array(&e.Messages, value, hasMessages)
	case "users":
		return e.array(&e.Users, value, hasUsers)
	case "joined":
		return e.array(&e.Joined, value, 0)
	case "left":
		return e.array(&e.Left, value, 0)
	case "seq":
		return e.number(&e.Seq, value, hasSeq)
	case "time":
		return e.number(&e.Time, value, hasTime)
	case "count":
		return e.number(&e.Count, value, hasCount)
	case "retry_ms":
		return e.number(&e.RetryMS, value, hasRetry)
	case "complete":
		return e.truth(&e.Complete, value, hasComplete)
	case "more":
		return e.truth(&e.More, value, hasMore)
	}
	return e.other(key, value)
}

// other notes the keys whose values nobody here needs.
func (e *Event) other(key, value []byte) bool {
	switch string(key) {
	case "reason":
		e.has |= hasReason
	case "message":
		e.has |= hasSentence
	case "version":
		e.has |= hasVersion
	case "heartbeat_ms":
		e.has |= hasHeartbeat
	case "limits":
		e.has |= hasLimits
	case "offset":
		e.has |= hasOffset
	case "t":
		e.has |= hasT
	}
	return len(value) > 0
}

func (e *Event) str(to *[]byte, value []byte, bit field) bool {
	*to = Str(value)
	e.has |= bit
	return *to != nil
}

func (e *Event) array(to *[]byte, value []byte, bit field) bool {
	*to = value
	e.has |= bit
	return value[0] == '['
}

func (e *Event) number(to *uint64, value []byte, bit field) bool {
	n := uint64(0)
	for _, c := range value {
		if c-'0' > 9 || n > maxNumber {
			return false
		}
		n = n*10 + uint64(c-'0')
	}
	*to = n
	e.has |= bit
	return n <= maxNumber
}

func (e *Event) truth(to *bool, value []byte, bit field) bool {
	*to = string(value) == "true"
	e.has |= bit
	return *to || string(value) == "false"
}

func kindOf(name []byte) Kind {
	switch string(name) {
	case "welcome":
		return KindWelcome
	case "joined":
		return KindJoined
	case "left":
		return KindLeft
	case "message":
		return KindMessage
	case "ack":
		return KindAck
	case "presence":
		return KindPresence
	case "users":
		return KindUsers
	case "history":
		return KindHistory
	case "typing":
		return KindTyping
	case "pong":
		return KindPong
	case "error":
		return KindError
	case "goodbye":
		return KindGoodbye
	}
	return KindOther
}
