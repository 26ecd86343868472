//go:build linux

package main

import (
	"context"
	"fmt"
	"nebula/perf/check"
	"nebula/perf/hist"
	"nebula/perf/meter"
	"nebula/perf/wire"
	"strconv"
	"sync/atomic"
	"time"
)

// Names of Nebula's legs.
const (
	acrossLeg = "Nebula, to a client on another node"
	sameLeg   = "Nebula, to a client on the same node"
	ackLeg    = "Nebula, ack"
)

// talk is the path through two nodes: in each room one client speaks, one beside it on
// its node listens, and one on the other node.
type talk struct {
	// Static after construction.
	clock meter.Clock
	text  int
	rooms []trio

	turns int
}

type trio struct{ speaker, near, far *peer }

func newTalk(clock meter.Clock, s settings, addrs []string) (*talk, error) {
	t := &talk{clock: clock, text: s.text}
	for i := range s.talkRooms {
		room, nonce := "talk-"+strconv.Itoa(i), uint64(3*i)
		t.rooms = append(t.rooms, trio{})
		r := &t.rooms[i]
		here, there := addrs[i%len(addrs)], addrs[(i+1)%len(addrs)]
		for j, one := range []struct {
			to   **peer
			addr string
		}{{&r.near, here}, {&r.far, there}, {&r.speaker, here}} {
			p, err := enter(one.addr, room, nonce+uint64(j))
			if err != nil {
				t.close()
				return nil, err
			}
			*one.to = p
		}
	}
	return t, nil
}

// said is what was sent in a turn: who hears message k asks when.
type said struct {
	prefix string         // of the ids
	at     []atomic.Int64 // written by the sender before it sends
}

func (t *talk) turn(ctx context.Context, n int, every time.Duration) ([]leg, error) {
	t.turns++
	s := &said{prefix: "t" + strconv.Itoa(t.turns) + "-", at: make([]atomic.Int64, n)}
	parts := []func() error{func() error {
		return pace(ctx, n, every, func(k int) error { return t.say(s, k) })
	}}
	heard := make([]struct{ across, same, own, acks hist.Hist }, len(t.rooms))
	deadline := time.Now().Add(time.Duration(n)*every + comeWithin)
	for i, r := range t.rooms {
		h, want := &heard[i], (n-i+len(t.rooms)-1)/len(t.rooms)
		for _, p := range []*peer{r.speaker, r.near, r.far} {
			if err := p.conn.SetDeadline(deadline); err != nil {
				return nil, fmt.Errorf("begin a turn: %w", err)
			}
		}
		parts = append(parts,
			func() error { return t.listen(r.far, s, want, &h.across, nil) },
			func() error { return t.listen(r.near, s, want, &h.same, nil) },
			func() error { return t.listen(r.speaker, s, want, &h.own, &h.acks) })
	}
	if err := together(ctx, t.close, parts...); err != nil {
		return nil, err
	}
	for i := range heard[1:] {
		heard[0].across.Add(&heard[1+i].across)
		heard[0].same.Add(&heard[1+i].same)
		heard[0].acks.Add(&heard[1+i].acks)
	}
	return []leg{{acrossLeg, heard[0].across.Summary()}, {sameLeg, heard[0].same.Summary()}, {ackLeg, heard[0].acks.Summary()}}, nil
}

func (t *talk) say(s *said, k int) error {
	p := t.rooms[k%len(t.rooms)].speaker
	at := t.clock.Now()
	s.at[k].Store(at)
	if err := p.say(wire.OpText, wire.AppendSay(nil, p.room, s.prefix, uint64(k), at, t.text)); err != nil {
		return fmt.Errorf("say message %d: %w", k, err)
	}
	return nil
}

// listen reads until want messages have come and, where there is a histogram for
// them, as many acks.
func (t *talk) listen(p *peer, s *said, want int, heard, acked *hist.Hist) error {
	var e wire.Event
	messages, acks := 0, 0
	for messages < want || acked != nil && acks < want {
		if err := p.next(&e); err != nil {
			return fmt.Errorf("%d of %d messages and %d acks came to a client: %w", messages, want, acks, err)
		}
		now := t.clock.Now()
		switch e.Kind {
		case wire.KindMessage:
			due, ok := wire.ReadStamp(e.Text, t.text)
			if !ok || string(e.Room) != p.room {
				return fmt.Errorf("%w: %.20q in %s", errProtocol, e.Text, e.Room)
			}
			if p.stream.Take(e.Seq, &p.tally) {
				messages++
				heard.Record(now - due)
			}
		case wire.KindAck:
			k, ok := s.number(e.ID)
			if !ok || acked == nil {
				return fmt.Errorf("%w: an ack of %.20q", errProtocol, e.ID)
			}
			acks++
			acked.Record(now - s.at[k].Load())
		case wire.KindError:
			return fmt.Errorf("a message was refused: %s", e.Code)
		}
	}
	return nil
}

// number is the place in a turn of a message with this id.
func (s *said) number(id []byte) (k uint64, ok bool) {
	if len(id) <= len(s.prefix) || string(id[:len(s.prefix)]) != s.prefix {
		return 0, false
	}
	k, ok = wire.Uint(id[len(s.prefix):])
	return k, ok && k < uint64(len(s.at))
}

// tally is what all clients saw.
func (t *talk) tally() (all check.Tally) {
	for _, r := range t.rooms {
		for _, p := range []*peer{r.speaker, r.near, r.far} {
			all.Add(p.tally)
		}
	}
	return all
}

func (t *talk) close() {
	for _, r := range t.rooms {
		for _, p := range []*peer{r.speaker, r.near, r.far} {
			if p != nil {
				p.conn.Close()
			}
		}
	}
}
