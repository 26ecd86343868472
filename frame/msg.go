package frame

import "strconv"

// Type is what a client's message asks for.
type Type uint8

// The types of protocol.md section 2.
const (
	TypeUnknown Type = iota
	TypeJoin
	TypeLeave
	TypeMessage
	TypeHistory
	TypePresence
	TypeTyping
	TypePing
)

// Limits and defaults of protocol.md section 2.
const (
	historyDefault, historyMost   = 50, 200
	presenceDefault, presenceMost = 200, 1000
	maxNumber                     = 1<<53 - 1
)

// Msg is one message of a client. Its slices alias the payload that was decoded.
type Msg struct {
	Type                   Type
	Room, ID, Text, T      []byte // T is the number as written
	Epoch                  []byte
	After, Before          uint64
	Limit, Offset          int
	HasEpoch, HasID        bool
	hasType, hasRoom       bool
	hasText, hasAfter      bool
	hasLimit, badText, bad bool
}

// ParseEpoch reads an epoch as AppendJoined writes it; 0, which no epoch is, for anything else.
func ParseEpoch(b []byte) uint64 {
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func typeOf(b []byte) Type {
	switch string(b) {
	case "join":
		return TypeJoin
	case "leave":
		return TypeLeave
	case "message":
		return TypeMessage
	case "history":
		return TypeHistory
	case "presence":
		return TypePresence
	case "typing":
		return TypeTyping
	case "ping":
		return TypePing
	}
	return TypeUnknown
}

// check applies the rules of m's type once all fields were read; maxText is in bytes.
func (m *Msg) check(maxText int) Code {
	switch {
	case !m.hasType, m.bad:
		return CodeBadRequest
	case m.Type == TypeUnknown:
		return CodeUnknownType
	case m.Type != TypePing && !m.hasRoom:
		return CodeBadRequest
	}
	switch m.Type {
	case TypeJoin:
		if m.HasEpoch != m.hasAfter {
			return CodeBadRequest
		}
	case TypeMessage:
		return m.checkText(maxText)
	case TypeHistory:
		return m.checkLimit(historyDefault, historyMost)
	case TypePresence:
		return m.checkLimit(presenceDefault, presenceMost)
	}
	return CodeOK
}

func (m *Msg) checkText(maxText int) Code {
	switch {
	case !m.hasText, m.HasID && !ValidID(m.ID):
		return CodeBadRequest
	case m.badText, len(m.Text) == 0:
		return CodeBadText
	case len(m.Text) > maxText:
		return CodeTooLong
	}
	return CodeOK
}

func (m *Msg) checkLimit(standard, most int) Code {
	if !m.hasLimit {
		m.Limit = standard
	}
	if m.Limit < 1 || m.Limit > most {
		return CodeBadRequest
	}
	return CodeOK
}
