//go:build linux

package main

import (
	"errors"
	"fmt"
	"nebula/perf/check"
	"nebula/perf/wire"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// errProtocol is a breach of protocol.md.
var errProtocol = errors.New("a node broke the protocol")

// readSize is what one read of a socket may take, bytes.
const readSize = 64 << 10

// peer is one blocking client that is in one room. One goroutine may send while another
// one reads.
type peer struct {
	// Static after construction.
	conn net.Conn
	room string

	// Owned by the reader.
	in     []byte // what was read
	used   int    // of in
	stream check.Stream
	tally  check.Tally

	// Guarded by mu: the reader answers pings.
	mu   sync.Mutex
	out  []byte
	mask uint32
}

// enter connects to a node and joins a room. nonce makes the key of the handshake.
func enter(addr, room string, nonce uint64) (*peer, error) {
	conn, err := net.DialTimeout("tcp", addr, askWithin)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	p := &peer{conn: conn, room: room, mask: uint32(nonce)}
	if err := p.open(addr, nonce); err != nil {
		conn.Close()
		return nil, fmt.Errorf("join %s at %s: %w", room, addr, err)
	}
	return p, nil
}

func (p *peer) open(addr string, nonce uint64) error {
	if err := p.conn.SetDeadline(time.Now().Add(askWithin)); err != nil {
		return err
	}
	if _, err := p.conn.Write(wire.AppendUpgrade(nil, addr, nonce)); err != nil {
		return err
	}
	for p.used == 0 {
		if err := p.fill(); err != nil {
			return err
		}
		status, size, err := wire.ReadAnswer(p.in, nonce)
		if err != nil {
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		if size > 0 && status != http.StatusSwitchingProtocols {
			return fmt.Errorf("the upgrade was answered with %d", status)
		}
		p.used = size
	}
	if err := p.say(wire.OpText, wire.AppendJoin(nil, p.room, "", 0)); err != nil {
		return err
	}
	var e wire.Event
	for e.Kind != wire.KindJoined {
		if err := p.next(&e); err != nil {
			return err
		}
		if e.Kind == wire.KindError {
			return fmt.Errorf("refused: %s", e.Code)
		}
	}
	p.stream.Start(e.Seq)
	return nil
}

// say sends one frame.
func (p *peer) say(op byte, payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mask = p.mask*1664525 + 1013904223 // it need not be secret here
	p.out = wire.AppendMasked(p.out[:0], op, payload, p.mask)
	_, err := p.conn.Write(p.out)
	return err
}

// next reads the next chat message. What e holds is valid until the next call.
func (p *peer) next(e *wire.Event) error {
	for {
		f, err := wire.Next(p.in[p.used:])
		switch {
		case err != nil:
			return fmt.Errorf("%w: %w", errProtocol, err)
		case f.Size == 0:
			if err := p.fill(); err != nil {
				return err
			}
			continue
		}
		p.used += f.Size
		switch f.Op {
		case wire.OpText:
			if err := e.Decode(f.Payload); err != nil {
				return fmt.Errorf("%w: %w: %.100q", errProtocol, err, f.Payload)
			}
			return nil
		case wire.OpPing:
			if err := p.say(wire.OpPong, f.Payload); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%w: a frame of type %d, close code %d", errProtocol, f.Op, wire.CloseCode(f.Payload))
		}
	}
}

// fill reads from the socket once.
func (p *peer) fill() error {
	p.in = p.in[:copy(p.in, p.in[p.used:])]
	p.used = 0
	p.in = slices.Grow(p.in, readSize)
	n, err := p.conn.Read(p.in[len(p.in):cap(p.in)])
	p.in = p.in[:len(p.in)+n]
	if n > 0 {
		return nil
	}
	return err
}
