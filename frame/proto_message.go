package frame

import (
	"unicode/utf8"
)

// message writes a stamped message of EncodeMessage, which is kept in JSON: what JSON has escaped is
// unescaped on the way, and id and text are there as they were.
func (w *protoWriter) message(m *Buf) {
	d := decoder{b: m.Payload(), i: len(msgOpen)}
	w.quoted(1, &d)
	w.number(2, m.Seq())
	w.bytes(3, m.ID())
	d.i += len(msgToID) + stringSize(m.ID()) + len(msgToUser)
	w.quoted(4, &d)
	d.i += len(msgToName)
	w.quoted(5, &d)
	w.bytes(6, m.Text())
	w.number(7, uint64(m.Milli()))
}

// quoted writes the string of ours that d is at, which it must be sure of, and moves d behind it.
func (w *protoWriter) quoted(field int, d *decoder) {
	d.i++ // the quote
	body := w.open(field)
	for {
		from := d.i
		d.i = special(d.b, from, 0)
		w.b = append(w.b, d.b[from:d.i]...)
		d.i++
		if d.b[d.i-1] == '"' {
			break
		}
		r, _ := d.escape()
		w.b = utf8.AppendRune(w.b, r)
	}
	w.close(body)
}
