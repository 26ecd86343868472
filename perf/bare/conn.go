//go:build linux

package bare

import (
	"errors"
	"fmt"
	"nebula/perf/sock"
	"nebula/perf/wire"
)

// conn is one client.
type conn struct {
	fd       int
	upgraded bool
	user     string
	room     *room
	at       int    // its place in the room's members
	tail     []byte // a frame that has not come whole
}

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

// readable reads once; epoll reports what is left.
func (s *Server) readable(c *conn) {
	if c == nil {
		return // an event of a connection that was dropped in this round
	}
	before := copy(s.in, c.tail)
	n, err := sock.Receive(c.fd, s.in[before:])
	if errors.Is(err, sock.ErrAgain) {
		return
	}
	if err != nil {
		s.drop(c)
		return
	}
	rest, ok := s.consume(c, s.in[:before+n])
	if !ok || len(rest) > readBytes {
		s.drop(c)
		return
	}
	c.tail = append(c.tail[:0], rest...)
}

// consume handles what is complete and returns what is not; false ends the connection.
func (s *Server) consume(c *conn, b []byte) ([]byte, bool) {
	if !c.upgraded {
		key, size, err := wire.ReadRequest(b)
		if size == 0 || err != nil {
			return b, err == nil
		}
		if key == nil {
			s.send(c, []byte(plainAnswer))
			return nil, false
		}
		s.welcome(c, key)
		b = b[size:]
	}
	for {
		f, err := wire.NextMasked(b)
		if f.Size == 0 || err != nil {
			return b, err == nil
		}
		b = b[f.Size:]
		switch f.Op {
		case wire.OpText:
			s.request(c, f.Payload)
		case wire.OpPing:
			s.out = wire.AppendFrame(s.out[:0], wire.OpPong, f.Payload)
			s.send(c, s.out)
		case wire.OpClose:
			return nil, false
		}
	}
}

func (s *Server) welcome(c *conn, key []byte) {
	s.guests++
	c.upgraded = true
	c.user = fmt.Sprintf("00000000-0000-7000-8000-%012x", s.guests)
	s.payload = fmt.Appendf(s.payload[:0], `{"type":"welcome","user":%q,"name":%q,"node":"floor","version":"floor",`+
		`"heartbeat_ms":0,"limits":{"text_bytes":4096,"frame_bytes":32768,"rooms":1,"rate":0,"burst":0}}`, c.user, guestName)
	s.out = wire.AppendFrame(wire.AppendSwitch(s.out[:0], key), wire.OpText, s.payload)
	s.send(c, s.out)
}

func (s *Server) request(c *conn, payload []byte) {
	var r wire.Request
	if !r.Decode(payload) {
		return
	}
	switch string(r.Type) {
	case "join":
		s.join(c, r.Room)
	case "message":
		if c.room != nil {
			s.say(c, &r)
		}
	}
}

// send is the whole of it: what the kernel does not take is lost.
func (s *Server) send(c *conn, b []byte) {
	n, err := sock.Send(c.fd, b)
	switch {
	case n == len(b):
	case errors.Is(err, sock.ErrAgain):
		s.dropped.Add(1)
	default: // the rest would have to be kept
		s.dropped.Add(1)
		s.drop(c)
	}
}

func (s *Server) drop(c *conn) {
	if c == nil || s.conns[c.fd] != c {
		return
	}
	s.leave(c)
	s.conns[c.fd] = nil
	sock.Close(c.fd)
}
