//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// errReply is what Redis answered with, or what is no RESP2.
var errReply = errors.New("redis")

// maxReply bounds a string and a list of an answer.
const maxReply = 64 << 20

// redis is one blocking connection to the bus, which speaks RESP2. One goroutine may
// send while another one reads.
type redis struct {
	// Static after construction.
	conn net.Conn

	// Owned by the sender.
	out []byte

	// Owned by the reader.
	in *bufio.Reader
}

// reply is one answer: a string, whatever it is called in RESP, or a list.
type reply struct {
	text string
	list []reply
}

func dialRedis(addr string) (*redis, error) {
	conn, err := net.DialTimeout("tcp", addr, askWithin)
	if err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	return &redis{conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}, nil
}

func (r *redis) close() { r.conn.Close() }

// within bounds everything until it is called again.
func (r *redis) within(d time.Duration) error {
	if err := r.conn.SetDeadline(time.Now().Add(d)); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// ask makes one call and waits for its answer.
func (r *redis) ask(words ...string) (reply, error) {
	if err := r.within(askWithin); err != nil {
		return reply{}, err
	}
	if err := r.send(words...); err != nil {
		return reply{}, err
	}
	return r.read()
}

// send writes one call.
func (r *redis) send(words ...string) error {
	r.out = appendCall(r.out[:0], words)
	if _, err := r.conn.Write(r.out); err != nil {
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

// read reads one answer; one that says what went wrong is an error.
func (r *redis) read() (reply, error) {
	line, err := r.in.ReadString('\n')
	if err != nil {
		return reply{}, fmt.Errorf("redis: %w", err)
	}
	if len(line) < 3 || line[len(line)-2] != '\r' {
		return reply{}, fmt.Errorf("%w: a line of %.100q", errReply, line)
	}
	kind, line := line[0], line[1:len(line)-2]
	switch kind {
	case '+', ':':
		return reply{text: line}, nil
	case '-':
		return reply{}, fmt.Errorf("%w: %s", errReply, line)
	case '$', '*':
		n, err := strconv.Atoi(line)
		if err != nil || n > maxReply {
			return reply{}, fmt.Errorf("%w: a length of %.100q", errReply, line)
		}
		if kind == '*' {
			return r.readList(n)
		}
		return r.readText(n)
	}
	return reply{}, fmt.Errorf("%w: an answer of type %q", errReply, kind)
}

func (r *redis) readText(n int) (reply, error) {
	if n < 0 { // null
		return reply{}, nil
	}
	b := make([]byte, n+len("\r\n"))
	if _, err := io.ReadFull(r.in, b); err != nil {
		return reply{}, fmt.Errorf("redis: %w", err)
	}
	return reply{text: string(b[:n])}, nil
}

func (r *redis) readList(n int) (reply, error) {
	var whole reply
	for range n {
		one, err := r.read()
		if err != nil {
			return reply{}, err
		}
		whole.list = append(whole.list, one)
	}
	return whole, nil
}

// at is the member of a member that a path of places leads to; empty where there is none.
func (r reply) at(path ...int) reply {
	for _, i := range path {
		if i >= len(r.list) {
			return reply{}
		}
		r = r.list[i]
	}
	return r
}
