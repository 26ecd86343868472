package frame

import "github.com/gobwas/ws"

// Close codes that IANA registered after RFC 6455, which ws does not name.
const (
	StatusServiceRestart ws.StatusCode = 1012
	StatusTryAgainLater  ws.StatusCode = 1013
	statusBadGateway     ws.StatusCode = 1014
)

// Code is why a request of a client was not carried out (protocol.md section 3).
type Code uint8

// The error codes; CodeOK is no error.
const (
	CodeOK Code = iota
	CodeBadJSON
	CodeBadRequest
	CodeUnknownType
	CodeBadRoom
	CodeBadText
	CodeTooLong
	CodeNotJoined
	CodeTooManyRooms
	CodeRateLimited
	CodeBusy
	CodeUnavailable
	CodeInternal
)

// String returns the code's name on the wire.
func (c Code) String() string {
	name, _ := c.words()
	return name
}

// Sentence returns what the code means, for people.
func (c Code) Sentence() string {
	_, sentence := c.words()
	return sentence
}

func (c Code) words() (name, sentence string) {
	switch c {
	case CodeOK:
		return "ok", "All is well."
	case CodeBadJSON:
		return "bad_json", "This is not one JSON object."
	case CodeBadRequest:
		return "bad_request", "A field is missing, of the wrong type, or out of range."
	case CodeUnknownType:
		return "unknown_type", "This type of request is not known here."
	case CodeBadRoom:
		return "bad_room", "A room's name has 1 to 64 letters, digits, and the signs - _ . and :"
	case CodeBadText:
		return "bad_text", "The text is empty or holds a character that cannot be sent."
	case CodeTooLong:
		return "too_long", "The text is too long."
	case CodeNotJoined:
		return "not_joined", "Join the room first."
	case CodeTooManyRooms:
		return "too_many_rooms", "You have joined as many rooms as you may."
	case CodeRateLimited:
		return "rate_limited", "You are sending too fast."
	case CodeBusy:
		return "busy", "The server has too much to do. Try again in a moment."
	case CodeUnavailable:
		return "unavailable", "The server cannot take this now. Try again."
	default:
		return "internal", "Something went wrong here. Try again."
	}
}
