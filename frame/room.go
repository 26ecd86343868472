package frame

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxRoomRunes = 64
	maxIDBytes   = 64
	// maxRoomBytes bounds a name before NFC: no character of it has more than 4 code points when
	// decomposed, of at most 4 bytes each. What is longer cannot become a name.
	maxRoomBytes = maxRoomRunes * 4 * utf8.UTFMax
)

// RoomName returns the name of a room in NFC, or false if raw is not one: 1 to 64 letters and digits of any
// script, - _ . : and, not first, combining marks.
func RoomName(raw []byte) (string, bool) {
	if len(raw) == 0 || len(raw) > maxRoomBytes {
		return "", false
	}
	// Invalid UTF-8 needs no check of its own: it reads as U+FFFD, which is neither letter nor digit.
	name := norm.NFC.String(string(raw))
	runes := 0
	for i, r := range name {
		if !roomRune(r) && (i == 0 || !unicode.IsMark(r)) {
			return "", false
		}
		runes++
	}
	return name, runes <= maxRoomRunes
}

func roomRune(r rune) bool {
	switch r {
	case '-', '_', '.', ':':
		return true
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r)
}

// ValidID reports whether id is one that a client may give a message: 1 to 64 of A-Z a-z 0-9 _ -.
func ValidID(id []byte) bool {
	if len(id) == 0 || len(id) > maxIDBytes {
		return false
	}
	for _, c := range id {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}
