package main

import (
	"context"
	"fmt"
	"nebula/perf/fault/crowd"
	"nebula/perf/fault/verdict"
	"time"
)

// How long a system that takes traffic again may take until all is as it was.
const (
	ackAgainWithin = 20 * time.Second // a new message of every room is acked
	presenceWithin = 15 * time.Second // protocol.md section 5
)

// How long who comes or goes may be seen or not: the grace of those who lose their
// connection is 2 s, and another node may tell it 0.5 s later.
const presenceSlack = 3 * time.Second

// Mend is how long it took, at most, until all was as it was after a kind of blow.
type Mend struct {
	Acks     float64 `json:"acks"`     // seconds until a new message was acked in every room
	Presence float64 `json:"presence"` // seconds until every node told who is in a room
}

// mended waits until the system does what it did before the strike.
// Nobody may see in the room who has gone.
func (t *trial) mended(ctx context.Context, blow Blow, room string, gone map[string]bool) error {
	began := time.Now()
	if err := t.acksAgain(ctx, began); err != nil {
		return err
	}
	m := t.result.Mends[blow]
	m.Acks = max(m.Acks, time.Since(began).Seconds())
	if err := t.presence(ctx, room, gone, began); err != nil {
		return err
	}
	m.Presence = max(m.Presence, time.Since(began).Seconds())
	t.result.Mends[blow] = m
	return nil
}

// acksAgain waits until a message that was written since then is acked in every room.
func (t *trial) acksAgain(ctx context.Context, since time.Time) error {
	for n := 0; n < min(t.cfg.Rooms, t.cfg.Senders); {
		if t.crowd.Fresh(crowd.Room(n)).After(since) {
			n++
			continue
		}
		if time.Since(since) > ackAgainWithin {
			t.faults.Add(verdict.Broken, "%s: no new message is acked %v after it was mended", crowd.Room(n), ackAgainWithin)
			return nil
		}
		if err := breathe(ctx); err != nil {
			return err
		}
	}
	return nil
}

// presence waits until every node tells who is in a room.
func (t *trial) presence(ctx context.Context, room string, gone map[string]bool, since time.Time) error {
	for {
		wrong := t.absent(room, gone)
		if wrong == nil {
			return nil
		}
		if time.Since(since) > presenceWithin {
			t.faults.Add(verdict.Presence, "%s, %v after it was mended: %v", room, presenceWithin, wrong)
			return nil
		}
		if err := breathe(ctx); err != nil {
			return err
		}
	}
}

// breathe waits a little before looking again.
func breathe(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("fault: waiting for the system to be mended: %w", context.Cause(ctx))
	case <-time.After(20 * time.Millisecond):
		return nil
	}
}

// visit has a guest join a room through every node.
func (t *trial) visit(room string) (guests []*crowd.Inspector, err error) {
	for _, addr := range t.sys.Nodes() {
		in, err := t.crowd.Inspect(addr)
		if err != nil {
			return guests, err
		}
		guests = append(guests, in)
		if _, err := in.Join(room, nil); err != nil {
			return guests, err
		}
	}
	return guests, nil
}

// leave has guests go, and returns who they were.
func leave(guests []*crowd.Inspector, room string) (gone map[string]bool) {
	gone = make(map[string]bool)
	for _, in := range guests {
		in.Leave(room)
		in.Close()
		gone[in.User] = true
	}
	return gone
}

// absent compares what each node tells of a room with who is there, those who ask
// among them; nil: it is right everywhere.
func (t *trial) absent(room string, gone map[string]bool) error {
	asking, err := t.visit(room)
	defer leave(asking, room)
	if err != nil {
		return err
	}
	return t.agree(room, gone, asking)
}

// agree waits a little for all nodes to tell who is there.
func (t *trial) agree(room string, gone map[string]bool, asking []*crowd.Inspector) error {
	began := time.Now()
	for {
		wrong := t.compare(room, gone, asking)
		if wrong == nil || time.Since(began) > presenceSlack {
			return wrong
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// compare asks every node once.
func (t *trial) compare(room string, gone map[string]bool, asking []*crowd.Inspector) error {
	for n, in := range asking {
		sure, _ := t.crowd.Present(room, time.Now().Add(-presenceSlack))
		users, err := in.Users(room)
		if err != nil {
			return err
		}
		still, maybe := t.crowd.Present(room, time.Now().Add(-presenceSlack))
		for _, other := range asking {
			sure[other.User], still[other.User], maybe[other.User] = true, true, true
		}
		for _, user := range users {
			if !maybe[user] || gone[user] {
				return fmt.Errorf("node %d tells of %s, who is not there", n, user)
			}
			delete(sure, user)
		}
		for user := range sure {
			if still[user] {
				return fmt.Errorf("node %d does not tell of %s, who is there", n, user)
			}
		}
	}
	return nil
}
