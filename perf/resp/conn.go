package resp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// ErrReply is what Redis answered with, or what is no RESP2.
var ErrReply = errors.New("redis")

// maxReply bounds a string and a list of an answer.
const maxReply = 64 << 20

// Within is the longest wait for one answer, and for a connection.
const Within = 5 * time.Second

// Conn is one blocking connection to Redis. One goroutine may send while another one
// reads.
type Conn struct {
	// Static after construction.
	conn net.Conn

	// Owned by the sender.
	out []byte

	// Owned by the reader.
	in *bufio.Reader
}

// Reply is one answer: a string, whatever it is called in RESP, or a list.
type Reply struct {
	Text string
	List []Reply
}

// Dial connects.
func Dial(addr string) (*Conn, error) {
	conn, err := net.DialTimeout("tcp", addr, Within)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return &Conn{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

// Close closes the connection.
func (c *Conn) Close() { c.conn.Close() }

// Limit bounds everything until it is called again.
func (c *Conn) Limit(d time.Duration) error {
	if err := c.conn.SetDeadline(time.Now().Add(d)); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Ask makes one call and waits for its answer.
func (c *Conn) Ask(words ...string) (Reply, error) {
	if err := c.Limit(Within); err != nil {
		return Reply{}, err
	}
	if err := c.Send(words...); err != nil {
		return Reply{}, err
	}
	return c.Read()
}

// Send writes one call.
func (c *Conn) Send(words ...string) error {
	c.out = appendCall(c.out[:0], words)
	if _, err := c.conn.Write(c.out); err != nil {
		return fmt.Errorf("redis: %s: %w", words[0], err)
	}
	return nil
}

func appendCall(dst []byte, words []string) []byte {
	dst = strconv.AppendInt(append(dst, '*'), int64(len(words)), 10)
	for _, word := range words {
		dst = strconv.AppendInt(append(dst, "\r\n$"...), int64(len(word)), 10)
		dst = append(append(dst, "\r\n"...), word...)
	}
	return append(dst, "\r\n"...)
}

// Read reads one answer; one that says what went wrong is an error.
func (c *Conn) Read() (Reply, error) {
	line, err := c.in.ReadString('\n')
	if err != nil {
		return Reply{}, fmt.Errorf("redis: %w", err)
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return Reply{}, fmt.Errorf("%w: a line of %.100q", ErrReply, line)
	}
	kind, line := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ':':
		return Reply{Text: line}, nil
	case '-':
		return Reply{}, fmt.Errorf("%w: %s", ErrReply, line)
	case '$', '*':
		n, err := strconv.Atoi(line)
		if err != nil || n > maxReply {
			return Reply{}, fmt.Errorf("%w: a length of %.100q", ErrReply, line)
		}
		if kind == '*' {
			return c.readList(n)
		}
		return c.readText(n)
	}
	return Reply{}, fmt.Errorf("%w: an answer of type %q", ErrReply, kind)
}

func (c *Conn) readText(n int) (Reply, error) {
	if n < 0 { // null
		return Reply{}, nil
	}
	b := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(c.in, b); err != nil {
		return Reply{}, fmt.Errorf("redis: %w", err)
	}
	return Reply{Text: string(b[:n])}, nil
}

func (c *Conn) readList(n int) (Reply, error) {
	var whole Reply
	for range n {
		one, err := c.Read()
		if err != nil {
			return Reply{}, err
		}
		whole.List = append(whole.List, one)
	}
	return whole, nil
}

// At is the member of a member that a path of places leads to; empty where there is none.
func (r Reply) At(path ...int) Reply {
	for _, i := range path {
		if i >= len(r.List) {
			return Reply{}
		}
		r = r.List[i]
	}
	return r
}
