package frame

import (
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of fields that are skipped.
const maxDepth = 32

// Decode reads one JSON object of a client, which must be valid UTF-8, into m. It unescapes strings in
// place, so payload is changed and m aliases it. No allocation. Numbers must be written as integers.
// What could be read of Room and ID is in m whatever the Code, so that an error can name them.
func Decode(m *Msg, payload []byte, maxText int) Code {
	*m = Msg{}
	d := decoder{b: payload}
	d.space()
	if !d.object(m) {
		return CodeBadJSON
	}
	d.space()
	if d.i != len(d.b) {
		return CodeBadJSON
	}
	return m.check(maxText)
}

// decoder is a place in the payload. Its methods return false for what is no JSON.
type decoder struct {
	b []byte
	i int
}

func (d *decoder) space() {
	for d.i < len(d.b) && (d.b[d.i] == ' ' || d.b[d.i] == '\n' || d.b[d.i] == '\r' || d.b[d.i] == '\t') {
		d.i++
	}
}

// eat takes c if it is next.
func (d *decoder) eat(c byte) bool {
	if d.i < len(d.b) && d.b[d.i] == c {
		d.i++
		return true
	}
	return false
}

func (d *decoder) object(m *Msg) bool {
	if !d.eat('{') {
		return false
	}
	d.space()
	if d.eat('}') {
		return true
	}
	for {
		d.space()
		key, _, ok := d.string()
		if !ok {
			return false
		}
		d.space()
		if !d.eat(':') {
			return false
		}
		d.space()
		if !d.field(m, key) {
			return false
		}
		d.space()
		if d.eat('}') {
			return true
		}
		if !d.eat(',') {
			return false
		}
	}
}

// field reads the value of one key of ours, or skips it.
func (d *decoder) field(m *Msg, key []byte) bool {
	switch string(key) {
	case "type":
		value, ok := d.text(m, &m.hasType, nil)
		m.Type = typeOf(value)
		return ok
	case "room":
		value, ok := d.text(m, &m.hasRoom, nil)
		m.Room = value
		return ok
	case "id":
		value, ok := d.text(m, &m.HasID, nil)
		m.ID = value
		return ok
	case "epoch":
		value, ok := d.text(m, &m.HasEpoch, nil)
		m.Epoch = value
		return ok
	case "text":
		value, ok := d.text(m, &m.hasText, &m.badText)
		m.Text = value
		return ok
	case "t":
		start := d.i
		ok := d.value(0)
		m.T = d.b[start:d.i]
		if ok && (len(m.T) == 0 || m.T[0] != '-' && (m.T[0] < '0' || m.T[0] > '9')) {
			m.bad, m.T = true, nil
		}
		return ok
	case "after":
		return d.integer(m, &m.After, &m.hasAfter)
	case "before":
		return d.integer(m, &m.Before, new(bool))
	case "limit":
		return d.small(m, &m.Limit, &m.hasLimit)
	case "offset":
		return d.small(m, &m.Offset, new(bool))
	}
	return d.value(0)
}

// text reads a string; another kind of value makes m bad. A string with U+0000 or a lone surrogate
// sets strange, or makes m bad if that is nil.
func (d *decoder) text(m *Msg, has, strange *bool) ([]byte, bool) {
	*has = true
	if d.i >= len(d.b) || d.b[d.i] != '"' {
		m.bad = true
		return nil, d.value(0)
	}
	value, odd, ok := d.string()
	if odd {
		if strange == nil {
			strange = &m.bad
		}
		*strange = true
	}
	return value, ok
}

// integer reads a number from 0 to 2^53-1; anything else makes m bad.
func (d *decoder) integer(m *Msg, to *uint64, has *bool) bool {
	*has = true
	start := d.i
	if !d.value(0) {
		return false
	}
	n := uint64(0)
	for _, c := range d.b[start:d.i] {
		if c < '0' || c > '9' || n > maxNumber/10 {
			m.bad = true
			return true
		}
		n = n*10 + uint64(c-'0')
	}
	if n > maxNumber {
		m.bad = true
	}
	*to = n
	return true
}

func (d *decoder) small(m *Msg, to *int, has *bool) bool {
	var n uint64
	ok := d.integer(m, &n, has)
	*to = int(n)
	return ok
}

// value skips any value.
func (d *decoder) value(depth int) bool {
	if d.i >= len(d.b) || depth > maxDepth {
		return false
	}
	switch c := d.b[d.i]; c {
	case '"':
		_, _, ok := d.string()
		return ok
	case '{', '[':
		return d.nested(c, depth)
	case 't':
		return d.word("true")
	case 'f':
		return d.word("false")
	case 'n':
		return d.word("null")
	}
	return d.number()
}

// nested skips an object or an array.
func (d *decoder) nested(open byte, depth int) bool {
	d.i++
	end := open + 2 // '{' and '}', '[' and ']' are two apart
	d.space()
	if d.eat(end) {
		return true
	}
	for {
		d.space()
		if open == '{' {
			if _, _, ok := d.string(); !ok {
				return false
			}
			d.space()
			if !d.eat(':') {
				return false
			}
			d.space()
		}
		if !d.value(depth + 1) {
			return false
		}
		d.space()
		if d.eat(end) {
			return true
		}
		if !d.eat(',') {
			return false
		}
	}
}

func (d *decoder) word(w string) bool {
	if len(d.b)-d.i < len(w) || string(d.b[d.i:d.i+len(w)]) != w {
		return false
	}
	d.i += len(w)
	return true
}

// number skips a number as RFC 8259 section 6 writes it.
func (d *decoder) number() bool {
	d.eat('-')
	if !d.eat('0') && !d.digits() {
		return false
	}
	if d.eat('.') && !d.digits() {
		return false
	}
	if d.eat('e') || d.eat('E') {
		if !d.eat('+') {
			d.eat('-')
		}
		return d.digits()
	}
	return true
}

func (d *decoder) digits() bool {
	start := d.i
	for d.i < len(d.b) && d.b[d.i] >= '0' && d.b[d.i] <= '9' {
		d.i++
	}
	return d.i > start
}

// string reads a string and unescapes it in place: what it stands for is never longer than how it is
// written. odd: it holds U+0000 or a lone surrogate.
func (d *decoder) string() (value []byte, odd, ok bool) {
	if !d.eat('"') {
		return nil, false, false
	}
	start := d.i
	d.i = special(d.b, start, 0)
	w := d.i // what was read up to i stands, unescaped, before w
	for d.i < len(d.b) {
		c := d.b[d.i]
		d.i++
		if c == '"' {
			return d.b[start:w], odd, true
		}
		if c != '\\' { // a control character
			return nil, false, false
		}
		r, valid := d.escape()
		if !valid {
			return nil, false, false
		}
		odd = odd || r <= 0
		var room [utf8.UTFMax]byte // the escape may be shorter than EncodeRune's needs
		w += copy(d.b[w:d.i], room[:utf8.EncodeRune(room[:], r)])
		from := d.i
		d.i = special(d.b, from, 0)
		w += copy(d.b[w:], d.b[from:d.i])
	}
	return nil, false, false
}

// escape reads what follows a backslash; a lone surrogate is loneSurrogate.
func (d *decoder) escape() (rune, bool) {
	if d.i >= len(d.b) {
		return 0, false
	}
	c := d.b[d.i]
	d.i++
	switch c {
	case '"', '\\', '/':
		return rune(c), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	case 'u':
		return d.unicode()
	}
	return 0, false
}

func (d *decoder) unicode() (rune, bool) {
	r, ok := d.hex()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	if len(d.b)-d.i >= 6 && d.b[d.i] == '\\' && d.b[d.i+1] == 'u' {
		back := d.i
		d.i += 2
		low, ok := d.hex()
		if !ok {
			return 0, false
		}
		if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
			return pair, true
		}
		d.i = back
	}
	return loneSurrogate, true
}

// loneSurrogate stands for what UTF-8 cannot say; it is encoded as U+FFFD.
const loneSurrogate = -1

func (d *decoder) hex() (rune, bool) {
	if len(d.b)-d.i < 4 {
		return 0, false
	}
	r := rune(0)
	for range 4 {
		c := d.b[d.i]
		d.i++
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}
