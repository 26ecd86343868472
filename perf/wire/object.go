package wire

import "bytes"

// Each calls f for every member of the JSON object in b, in order, with the raw
// key (escapes not undone) and the raw value, until f says false. It reports
// whether b is one object as far as it was read. Both slices alias b.
func Each(b []byte, f func(key, value []byte) bool) bool {
	i := space(b, 0)
	if i >= len(b) || b[i] != '{' {
		return false
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return true
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return false
		}
		end := skip(b, i)
		if end < 0 {
			return false
		}
		key := b[i+1 : end-1]
		if i = space(b, end); i >= len(b) || b[i] != ':' {
			return false
		}
		i = space(b, i+1)
		if end = skip(b, i); end < 0 {
			return false
		}
		if !f(key, b[i:end]) {
			return true
		}
		if i = space(b, end); i >= len(b) {
			return false
		}
		if b[i] == '}' {
			return true
		}
		if b[i] != ',' {
			return false
		}
		i = space(b, i+1)
	}
}

// Items calls f for every value of the JSON array in b, and reports whether b is
// one array.
func Items(b []byte, f func(value []byte) bool) bool {
	i := space(b, 0)
	if i >= len(b) || b[i] != '[' {
		return false
	}
	i = space(b, i+1)
	if i < len(b) && b[i] == ']' {
		return true
	}
	for {
		end := skip(b, i)
		if end < 0 {
			return false
		}
		if !f(b[i:end]) {
			return true
		}
		if i = space(b, end); i >= len(b) {
			return false
		}
		if b[i] == ']' {
			return true
		}
		if b[i] != ',' {
			return false
		}
		i = space(b, i+1)
	}
}

// Field is the raw value of one key of the object; nil where it is absent.
func Field(b []byte, key string) (value []byte) {
	Each(b, func(k, v []byte) bool {
		if string(k) == key {
			value = v
			return false
		}
		return true
	})
	return value
}

// Str is the inside of a raw JSON string, escapes not undone; nil for any other value.
func Str(value []byte) []byte {
	if len(value) < 2 || value[0] != '"' {
		return nil
	}
	return value[1 : len(value)-1]
}

// Uint reads the JSON integer at the start of b, blanks before it included.
func Uint(b []byte) (n uint64, ok bool) {
	i := space(b, 0)
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		n = n*10 + uint64(b[i]-'0')
		ok = true
	}
	return n, ok
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skip returns the end of the value that starts at b[i], or -1 where it does not end.
func skip(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == start {
		return -1
	}
	return i
}

func skipString(b []byte, i int) int {
	for i++; ; {
		at := bytes.IndexByte(b[i:], '"')
		if at < 0 {
			return -1
		}
		back := i + at - 1
		for back >= i && b[back] == '\\' {
			back--
		}
		odd := (i+at-1-back)&1 == 1
		i += at + 1
		if !odd {
			return i
		}
	}
}

func skipNested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}
