package chat

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"nebula/perf/wire"
	"net"
	"net/http"
	"slices"
	"time"
)

// Errors of a Conn.
var (
	ErrIdle     = errors.New("chat: nothing came")
	ErrProtocol = errors.New("chat: the server broke the protocol")
)

// CloseError is the end of a connection by a close frame.
type CloseError struct{ Code int }

func (e *CloseError) Error() string { return fmt.Sprintf("chat: closed with %d", e.Code) }

// writeWithin bounds Flush. The server reads always, unless it is stopped for a while.
const writeWithin = 20 * time.Second

// readSize is what one read of the socket may take, bytes.
const readSize = 64 << 10

// Conn is one WebSocket.
type Conn struct {
	// Static after Dial.
	Cookie string // to come back as the same user
	User   string
	Node   string
	socket net.Conn

	in   []byte // what was read
	used int    // of in, what was returned last included
	out  []byte // framed and not written
	mask uint32
}

// Dial connects, upgrades and reads the welcome. An empty cookie asks for a new
// guest. nonce makes the key of the handshake.
func Dial(addr, cookie string, nonce uint64, within time.Duration) (*Conn, error) {
	deadline := time.Now().Add(within)
	socket, err := net.DialTimeout("tcp", addr, within)
	if err != nil {
		return nil, fmt.Errorf("chat: %w", err)
	}
	c := &Conn{socket: socket, Cookie: cookie, mask: uint32(nonce)}
	if err := c.open(addr, nonce, deadline); err != nil {
		socket.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) open(addr string, nonce uint64, deadline time.Time) error {
	head := wire.AppendUpgrade(nil, addr, nonce)
	if c.Cookie != "" {
		head = append(head[:len(head)-len("\r\n")], "Cookie: "+c.Cookie+"\r\n\r\n"...)
	}
	c.out = append(c.out, head...)
	if err := c.Flush(); err != nil {
		return err
	}
	for {
		status, size, err := wire.ReadAnswer(c.in, nonce)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if size > 0 {
			if status != http.StatusSwitchingProtocols {
				return fmt.Errorf("chat: the upgrade was answered with %d", status)
			}
			if err := c.keepCookie(c.in[:size]); err != nil {
				return err
			}
			c.used = size
			break
		}
		if err := c.fill(deadline); err != nil {
			return err
		}
	}
	return c.welcome(deadline)
}

// keepCookie takes the cookie of a new guest out of the answer.
func (c *Conn) keepCookie(head []byte) error {
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	answer.Body.Close()
	if cookies := answer.Cookies(); len(cookies) > 0 {
		c.Cookie = cookies[0].Name + "=" + cookies[0].Value
	}
	return nil
}

func (c *Conn) welcome(deadline time.Time) error {
	var e wire.Event
	if err := c.Read(&e, time.Until(deadline)); err != nil {
		return err
	}
	if e.Kind != wire.KindWelcome {
		return fmt.Errorf("%w: the first message is no welcome", ErrProtocol)
	}
	c.User, c.Node = string(e.User), string(e.Node)
	return nil
}

// Queue frames a chat message; Flush writes it.
func (c *Conn) Queue(payload []byte) { c.queue(wire.OpText, payload) }

func (c *Conn) queue(op byte, payload []byte) {
	c.mask = c.mask*1664525 + 1013904223
	c.out = wire.AppendMasked(c.out, op, payload, c.mask)
}

// Flush writes what was queued.
func (c *Conn) Flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.socket.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	_, err := c.socket.Write(c.out)
	c.out = c.out[:0]
	if err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	return nil
}

// Read reads the next chat message; ErrIdle where none comes in time. It answers
// pings. What e holds is valid until the next call.
func (c *Conn) Read(e *wire.Event, within time.Duration) error {
	deadline := time.Now().Add(within)
	for {
		frame, err := wire.Next(c.in[c.used:])
		if err != nil {
			return fmt.Errorf("%w: %w", ErrProtocol, err)
		}
		if frame.Size == 0 {
			if err := c.fill(deadline); err != nil {
				return err
			}
			continue
		}
		c.used += frame.Size
		if done, err := c.take(frame, e); done || err != nil {
			return err
		}
	}
}

// Buffered tells whether Read has something without waiting, as a rule.
func (c *Conn) Buffered() bool { return len(c.in) > c.used }

func (c *Conn) take(frame wire.Frame, e *wire.Event) (done bool, err error) {
	switch {
	case frame.Op == wire.OpPing:
		c.queue(wire.OpPong, frame.Payload)
		return false, c.Flush()
	case frame.Op == wire.OpPong:
		return false, nil
	case frame.Op == wire.OpClose:
		c.queue(wire.OpClose, frame.Payload)
		_ = c.Flush() // the server may be gone by now
		return false, &CloseError{wire.CloseCode(frame.Payload)}
	case frame.Op != wire.OpText || !frame.Fin:
		return false, fmt.Errorf("%w: a frame of type %d, final %v", ErrProtocol, frame.Op, frame.Fin)
	case !wire.Valid(frame.Payload):
		return false, fmt.Errorf("%w: no JSON: %.100q", ErrProtocol, frame.Payload)
	}
	if err := e.Decode(frame.Payload); err != nil {
		return false, fmt.Errorf("%w: %w: %.100q", ErrProtocol, err, frame.Payload)
	}
	return true, nil
}

// fill reads from the socket once.
func (c *Conn) fill(deadline time.Time) error {
	if err := c.socket.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("chat: %w", err)
	}
	c.in = c.in[:copy(c.in, c.in[c.used:])]
	c.used = 0
	c.in = slices.Grow(c.in, readSize)
	n, err := c.socket.Read(c.in[len(c.in):cap(c.in)])
	c.in = c.in[:len(c.in)+n]
	var late net.Error
	switch {
	case n > 0, err == nil:
		return nil
	case errors.As(err, &late) && late.Timeout():
		return ErrIdle
	}
	return fmt.Errorf("chat: %w", err)
}

// Close ends the connection without a word, as a client does that falls over.
func (c *Conn) Close() { c.socket.Close() }
