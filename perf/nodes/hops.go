//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"nebula/perf/hist"
	"nebula/perf/meter"
	"nebula/perf/resp"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// hopsLeg has the processes and wake-ups of a message across nodes, and nothing else.
const hopsLeg = "the same script through bare relays, to a client of another one"

// hops is the path through bare relays (perf/relay), as many as there are nodes. As in
// talk, a client beside the speaker listens too.
type hops struct {
	// Static after construction.
	clock              meter.Clock
	size               int // of a line, bytes
	relays             []*process
	speaker, near, far net.Conn
}

func newHops(ctx context.Context, clock meter.Clock, s settings, folder, bus string, size int) (*hops, error) {
	h := &hops{clock: clock, size: max(size, stampDigits+1)}
	ports, err := freeAddrs(max(s.nodes, 2))
	for i, addr := range ports {
		if err == nil {
			err = h.start(ctx, folder, "relay"+strconv.Itoa(i+1), addr, bus)
		}
	}
	if err == nil {
		err = h.dial(ports[0], ports[1])
	}
	if err != nil {
		h.close()
		return nil, fmt.Errorf("%s: %w", hopsLeg, err)
	}
	return h, nil
}

func (h *hops) start(ctx context.Context, folder, name, addr, bus string) error {
	p, err := start(folder, name, filepath.Join(folder, "relay"), "-addr", addr, "-redis", bus, "-script", bareScript)
	if err != nil {
		return err
	}
	h.relays = append(h.relays, p)
	return p.await(ctx, func() error {
		conn, err := net.DialTimeout("tcp", addr, askWithin)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		return conn.Close()
	})
}

func (h *hops) dial(here, there string) (err error) {
	for _, one := range []struct {
		to   *net.Conn
		addr string
	}{{&h.near, here}, {&h.far, there}, {&h.speaker, here}} {
		if *one.to, err = net.DialTimeout("tcp", one.addr, askWithin); err != nil {
			return fmt.Errorf("connect: %w", err)
		}
	}
	return nil
}

func (h *hops) turn(ctx context.Context, n int, every time.Duration) ([]leg, error) {
	deadline := time.Now().Add(time.Duration(n)*every + comeWithin)
	pad := strings.Repeat(".", h.size-stampDigits-1) + "\n"
	var took, own, beside hist.Hist
	parts := []func() error{func() error {
		return pace(ctx, n, every, func(int) error {
			_, err := fmt.Fprintf(h.speaker, "%0*d%s", stampDigits, h.clock.Now(), pad)
			return err
		})
	}}
	for conn, heard := range map[net.Conn]*hist.Hist{h.speaker: &own, h.near: &beside, h.far: &took} {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, fmt.Errorf("begin a turn: %w", err)
		}
		parts = append(parts, func() error { return h.hear(conn, n, heard) })
	}
	if err := together(ctx, h.hangUp, parts...); err != nil {
		return nil, fmt.Errorf("%s: %w", hopsLeg, err)
	}
	return []leg{{hopsLeg, took.Summary()}}, nil
}

// hear takes n lines.
func (h *hops) hear(conn net.Conn, n int, took *hist.Hist) error {
	in := bufio.NewReader(conn)
	for range n {
		line, err := in.ReadString('\n')
		if err != nil {
			return fmt.Errorf("hear: %w", err)
		}
		now := h.clock.Now()
		at, err := strconv.ParseInt(line[:min(len(line), stampDigits)], 10, 64)
		if err != nil || len(line) != h.size {
			return fmt.Errorf("%w: a line of %.30q", resp.ErrReply, line)
		}
		took.Record(now - at)
	}
	return nil
}

func (h *hops) hangUp() {
	for _, conn := range []net.Conn{h.speaker, h.near, h.far} {
		if conn != nil {
			conn.Close()
		}
	}
}

func (h *hops) close() {
	h.hangUp()
	for _, p := range h.relays {
		p.kill()
	}
}
