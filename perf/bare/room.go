//go:build linux

package bare

import (
	"nebula/perf/wire"
	"strconv"
	"time"
)

// guestName is as long as Nebula's names are on average.
const guestName = "Amber Badger"

// room is a slice of members and a number.
type room struct {
	name    string
	seq     uint64
	members []*conn
}

func (s *Server) join(c *conn, name []byte) {
	r := s.rooms[string(name)]
	if r == nil {
		r = &room{name: string(name)}
		s.rooms[r.name] = r
	}
	if c.room != r {
		s.leave(c)
		c.room, c.at = r, len(r.members)
		r.members = append(r.members, c)
	}
	b := append(append(s.payload[:0], `{"type":"joined","room":"`...), r.name...)
	b = append(b, `","epoch":"1","seq":`...)
	b = strconv.AppendUint(b, r.seq, 10)
	b = append(b, `,"users":[],"count":`...)
	b = strconv.AppendInt(b, int64(len(r.members)), 10)
	s.payload = append(b, `,"messages":[],"complete":true}`...)
	s.out = wire.AppendFrame(s.out[:0], wire.OpText, s.payload)
	s.send(c, s.out)
}

// leave moves the last member to the place of c.
func (s *Server) leave(c *conn) {
	if c.room == nil {
		return
	}
	all := c.room.members
	last := all[len(all)-1]
	all[c.at], last.at = last, c.at
	all[len(all)-1] = nil
	c.room.members = all[:len(all)-1]
	c.room = nil
}

// say writes one frame to every member, and the ack.
func (s *Server) say(c *conn, m *wire.Request) {
	r := c.room
	r.seq++
	now := time.Now().UnixMilli()
	s.message(r, c, m, now)
	for i := len(r.members) - 1; i >= 0; i-- { // backwards: send may drop the member
		s.send(r.members[i], s.out)
	}
	b := append(append(s.payload[:0], `{"type":"ack","room":"`...), r.name...)
	b = append(append(append(b, `","id":"`...), m.ID...), `","seq":`...)
	b = append(strconv.AppendUint(b, r.seq, 10), `,"time":`...)
	s.payload = append(strconv.AppendInt(b, now, 10), '}')
	s.out = wire.AppendFrame(s.out[:0], wire.OpText, s.payload)
	if s.conns[c.fd] == c {
		s.send(c, s.out)
	}
}

// message builds the frame with the keys, the order and the blanks of Nebula's, so that both send the same bytes.
func (s *Server) message(r *room, c *conn, m *wire.Request, now int64) {
	const seqWidth, timeWidth = 16, 13
	b := append(s.payload[:0], `{"type":"message","seq":`...)
	b = append(appendWide(b, r.seq, seqWidth), `,"time":`...)
	b = append(appendWide(b, uint64(now), timeWidth), `,"room":"`...)
	b = append(append(b, r.name...), `","id":"`...)
	b = append(append(b, m.ID...), `","user":"`...)
	b = append(append(b, c.user...), `","name":"`...)
	b = append(append(b, guestName...), `","text":"`...)
	s.payload = append(append(b, m.Text...), `"}`...)
	s.out = wire.AppendFrame(s.out[:0], wire.OpText, s.payload)
}

// appendWide appends n with blanks before it.
func appendWide(dst []byte, n uint64, width int) []byte {
	var digits [20]byte
	text := strconv.AppendUint(digits[:0], n, 10)
	for range width - len(text) {
		dst = append(dst, ' ')
	}
	return append(dst, text...)
}
