package wire

import "strconv"

// stampDigits is the width of the due time that starts every text of ours: nanoseconds below 2^63.
const stampDigits = 19

// MinText is the shortest text that carries a stamp, bytes.
const MinText = stampDigits + 1

// AppendSay appends a chat message of a client: a text of size bytes that starts with due, in
// nanoseconds of the machine's monotonic clock. prefix and n make the id, size is at least MinText.
func AppendSay(dst []byte, room string, prefix string, n uint64, due int64, size int) []byte {
	dst = append(append(dst, `{"type":"message","room":"`...), room...)
	dst = append(append(dst, `","id":"`...), prefix...)
	dst = strconv.AppendUint(dst, n, 10)
	dst = append(dst, `","text":"`...)
	dst = appendStamp(dst, due)
	for range size - stampDigits {
		dst = append(dst, '.')
	}
	return append(dst, `"}`...)
}

// appendStamp appends due with leading zeros, so that every text is as long as it was asked to be.
func appendStamp(dst []byte, due int64) []byte {
	var digits [stampDigits]byte
	for i := len(digits) - 1; i >= 0; i-- {
		digits[i] = '0' + byte(due%10)
		due /= 10
	}
	return append(dst, digits[:]...)
}

// ReadStamp returns the due time of a text that AppendSay made with that size; ok is false for any other.
func ReadStamp(text []byte, size int) (due int64, ok bool) {
	if len(text) != size || size < MinText {
		return 0, false
	}
	for _, c := range text[:stampDigits] {
		if c-'0' > 9 {
			return 0, false
		}
		due = due*10 + int64(c-'0')
	}
	for _, c := range text[stampDigits:] {
		if c != '.' {
			return 0, false
		}
	}
	return due, true
}

// AppendJoin appends a join; with an epoch it resumes after the seq.
func AppendJoin(dst []byte, room string, epoch string, after uint64) []byte {
	dst = append(append(dst, `{"type":"join","room":"`...), room...)
	if epoch != "" {
		dst = append(append(dst, `","epoch":"`...), epoch...)
		dst = append(dst, `","after":`...)
		return append(strconv.AppendUint(dst, after, 10), '}')
	}
	return append(dst, `"}`...)
}

// AppendHistory appends a question for the page that ends before a seq.
func AppendHistory(dst []byte, room string, before uint64, limit int) []byte {
	dst = append(append(dst, `{"type":"history","room":"`...), room...)
	dst = append(dst, `","before":`...)
	dst = strconv.AppendUint(dst, before, 10)
	dst = append(dst, `,"limit":`...)
	return append(strconv.AppendInt(dst, int64(limit), 10), '}')
}
