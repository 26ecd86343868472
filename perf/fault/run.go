package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"nebula/perf/fault/crowd"
	"nebula/perf/fault/verdict"
	"time"
)

// How long the end of a run may take.
const (
	ackWithin    = 60 * time.Second // after the last strike: every message is acked
	settleWithin = 60 * time.Second // every member has seen everything
)

// How much is read after each restart, and asked at the end.
const (
	samplePages = 5
	allPages    = 1 << 20
)

// trial is one run.
type trial struct {
	cfg    Config
	sys    System
	crowd  *crowd.Crowd
	chance *rand.Rand
	say    func(format string, args ...any) // progress, for people
	faults verdict.Faults                   // found while it ran
	result Result
}

// run strikes the system as planned while the crowd talks, and judges what it says.
func run(ctx context.Context, cfg Config, sys System, strikes []Strike, say func(string, ...any)) (Result, error) {
	t := &trial{cfg: cfg, sys: sys, say: say, chance: rand.New(rand.NewPCG(cfg.Seed, 1<<32))}
	t.crowd = crowd.New(crowd.Config{
		Rooms: cfg.Rooms, Senders: cfg.Senders, Readers: cfg.Readers, Window: cfg.Window, Rate: cfg.Rate, Seed: cfg.Seed,
		Addr: sys.Addr, StartOf: sys.StartOf,
	})
	began := time.Now()
	t.result = Result{Seed: cfg.Seed, Nodes: cfg.Nodes, Durability: cfg.Durability, Blows: make(map[Blow]int), Mends: make(map[Blow]Mend)}
	if err := sys.Start(); err != nil {
		return t.result, err
	}
	t.crowd.Go()
	defer t.crowd.Stop()
	if err := t.strike(ctx, strikes); err != nil {
		return t.result, err
	}
	if err := t.calm(ctx); err != nil {
		return t.result, err
	}
	v, err := t.judge()
	if err != nil {
		return t.result, err
	}
	t.result.take(t, v, time.Since(began))
	return t.result, nil
}

// strike does all strikes, and looks at the system after each.
func (t *trial) strike(ctx context.Context, strikes []Strike) error {
	for n, s := range strikes {
		select {
		case <-ctx.Done():
			return fmt.Errorf("fault: at strike %d of %d: %w", n, len(strikes), context.Cause(ctx))
		case <-time.After(s.After):
		}
		began := time.Now()
		if err := t.one(ctx, s); err != nil {
			return fmt.Errorf("fault: strike %d, %s: %w", n+1, s, err)
		}
		counts := t.crowd.Counts()
		t.say("%3d/%d %s: mended after %.1f s; start %d, %d messages, %d resends, %d connects, %d faults",
			n+1, len(strikes), s, time.Since(began).Seconds(), t.sys.Starts(), counts.Sent, counts.Resends, counts.Connects, t.faults.Total())
	}
	return nil
}

// one does a strike. Guests are in a room by then, and every node knows it; afterwards
// they have gone, whether their node died or not, and nobody may see them.
func (t *trial) one(ctx context.Context, s Strike) error {
	room := crowd.Room(t.chance.IntN(t.cfg.Rooms))
	before := t.crowd.Acked(room)
	guests, err := t.visit(room)
	if err == nil {
		err = t.agree(room, nil, guests)
	}
	if err != nil {
		t.faults.Add(verdict.Presence, "%s before %s: %v", room, s, err)
	}
	err = t.sys.Strike(s, &t.faults)
	gone := leave(guests, room)
	if err != nil {
		return err
	}
	t.result.Blows[s.Blow]++
	if s.Bus != "" {
		t.result.Blows[s.Bus]++
	}
	if err := t.sample(room, before); err != nil {
		t.faults.Add(verdict.Broken, "start %d: %v", t.sys.Starts(), err)
	}
	return t.mended(ctx, s.Blow, room, gone)
}

// sample looks at the newest pages of a room, and at one old place.
func (t *trial) sample(room string, acks []verdict.Ack) error {
	in, err := t.crowd.Inspect(t.anyNode())
	if err != nil {
		return err
	}
	defer in.Close()
	if _, err := in.Join(room, nil); err != nil {
		return err
	}
	newest, err := in.History(room, samplePages)
	if err != nil {
		return err
	}
	t.faults.Sample(room, t.sys.Starts(), newest, acks)
	if len(acks) == 0 {
		return nil
	}
	one := acks[t.chance.IntN(len(acks))]
	old, _, err := in.Page(room, one.Seq+1, 1)
	if err != nil {
		return err
	}
	if len(old) == 0 {
		t.faults.Add(verdict.Lost, "%s, read from start %d: nothing at or before %d, where %s of %s was acked",
			room, t.sys.Starts(), one.Seq, one.ID, one.User)
	}
	t.faults.Sample(room, t.sys.Starts(), old, []verdict.Ack{one})
	return nil
}

// calm waits until everything that was sent is acked, and until everybody has it.
func (t *trial) calm(ctx context.Context) error {
	t.crowd.Calm()
	late := time.After(ackWithin)
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for waiting := true; waiting && t.crowd.Unacked() > 0; {
		select {
		case <-ctx.Done():
			return fmt.Errorf("fault: waiting for acks: %w", context.Cause(ctx))
		case <-late:
			t.faults.Add(verdict.Broken, "%d messages were not acked within %v", t.crowd.Unacked(), ackWithin)
			waiting = false
		case <-look.C:
		}
	}
	in, err := t.crowd.Inspect(t.anyNode())
	if err != nil {
		return err
	}
	defer in.Close()
	ends := make(map[string]uint64)
	for n := range t.cfg.Rooms {
		room := crowd.Room(n)
		e, err := in.Join(room, nil)
		if err != nil {
			return err
		}
		ends[room] = e.Newest
	}
	t.say("%d messages are acked, everybody reads to the end", t.crowd.Counts().Sent)
	t.crowd.Settle(ends)
	t.crowd.Wait(settleWithin)
	return nil
}

// judge kills and starts the system once more and compares what it has then with
// what everybody was told; then it tries cursors.
func (t *trial) judge() (*verdict.Verdict, error) {
	if err := t.sys.Strike(Strike{Blow: KillAll}, &t.faults); err != nil {
		return nil, err
	}
	t.result.Blows[KillAll]++
	rec := t.crowd.Record()
	rec.Drained, rec.Shared = t.sys.Drained(), t.sys.Shared()
	for _, node := range t.sys.Nodes() {
		all, err := t.history(node)
		if err != nil {
			return nil, err
		}
		if rec.History == nil {
			rec.History = all
		}
		t.faults.Agree(node, rec.History, all)
	}
	t.say("judging %d acks and %d tapes", len(rec.Acks), len(rec.Tapes))
	v := verdict.Judge(rec)
	if err := t.probe(v); err != nil {
		return nil, err
	}
	if err := t.sys.Strike(Strike{Blow: TermAll}, &t.faults); err != nil {
		return nil, err
	}
	t.result.Blows[TermAll]++
	return v, t.sys.Close()
}

func (t *trial) anyNode() string {
	nodes := t.sys.Nodes()
	return nodes[t.chance.IntN(len(nodes))]
}

// history reads everything that a node has.
func (t *trial) history(node string) (map[string][]verdict.Placed, error) {
	in, err := t.crowd.Inspect(node)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	all := make(map[string][]verdict.Placed)
	for n := range t.cfg.Rooms {
		room := crowd.Room(n)
		if _, err := in.Join(room, nil); err != nil {
			return nil, err
		}
		if all[room], err = in.History(room, allPages); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// probe resumes with cursors that clients had: those whose message is gone, those
// that were used, and any others.
func (t *trial) probe(v *verdict.Verdict) error {
	in, err := t.crowd.Inspect(t.anyNode()) // a new one: judging took long, and nobody answered pings
	if err != nil {
		return err
	}
	defer in.Close()
	all := v.Cursors()
	t.chance.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	left := map[string]int{"dead": t.cfg.Probes / 4, "used": t.cfg.Probes / 4, "any": t.cfg.Probes / 2}
	for _, h := range all {
		kind := "any"
		switch {
		case h.Dead:
			kind = "dead"
		case h.Used:
			kind = "used"
		}
		if left[kind] == 0 {
			continue
		}
		left[kind]--
		e, err := in.Join(h.Room, &h.Cursor)
		if err != nil {
			return err
		}
		v.Rejoined(h.Room, e)
		t.result.Probes++
	}
	return nil
}

var errBroken = errors.New("fault: a promise was broken")
