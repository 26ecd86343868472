//go:build linux

package load

import (
	"nebula/perf/bare"
	"nebula/perf/meter"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// play connects the clients, runs one step and returns what they saw; after runs in the middle of it.
func play(t *testing.T, cfg Config, plan Plan, during func()) (*Generator, *Report) {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.Close() })
	ready, err := g.Connect()
	if err != nil || ready.Clients != cfg.Clients {
		t.Fatalf("got %+v, %v", ready, err)
	}
	clock, err := meter.NewClock()
	if err != nil {
		t.Fatal(err)
	}
	plan.Start = clock.Now() + 10*millisecond
	if during != nil {
		timer := time.AfterFunc(time.Duration(10*millisecond+plan.Warm+plan.For/2), during)
		defer timer.Stop()
	}
	report, err := g.Step(plan)
	if err != nil {
		t.Fatal(err)
	}
	return g, report
}

var short = Plan{For: 300 * millisecond, Drain: 10 * second, Rate: 200}

func TestGenerator_HonestServerHasNoFault(t *testing.T) {
	t.Parallel()
	server, err := bare.New(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- server.Run() }()
	plan := short
	plan.Warm = 50 * millisecond
	g, r := play(t, Config{Addr: server.Addr().String(), Clients: 40, Rooms: 4}, plan, nil)
	if r.Published != 60 || r.Deliveries < 500 || r.Latency.Total() != 600 || r.Acks.Total() != 60 || r.Last.Total() != 60 {
		t.Errorf("got %d published, %d deliveries, %d latencies, %d acks, %d last; want 60, about 600, 600, 60, 60",
			r.Published, r.Deliveries, r.Latency.Total(), r.Acks.Total(), r.Last.Total())
	}
	if r.Answers.Acked != r.Planned || r.Tally.Taken != 10*r.Planned || r.Tally.Lost+r.Tally.Doubled+r.Tally.Misordered != 0 ||
		r.Faults != (Faults{}) || r.Undelivered() != 0 || r.Gone != 0 {
		t.Errorf("got %+v %+v %+v, %d undelivered", r.Answers, r.Tally, r.Faults, r.Undelivered())
	}
	_ = g.Close()
	server.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Each lie must be seen for what it is: these are the negative controls of every figure.
func TestGenerator_CatchesEveryLie(t *testing.T) {
	t.Parallel()
	for name, lie := range map[string]struct {
		tell func(s *liar)
		seen func(r *Report) bool
	}{
		"loses one message": {
			func(s *liar) { s.deliver = onlyFor(1, 9, func([]byte) []byte { return nil }) },
			func(r *Report) bool { return r.Tally.Lost == 1 },
		},
		"loses the last ones": {
			func(s *liar) {
				s.deliver = func(member int, seq uint64, frame []byte) []byte {
					if member == 1 && seq > 50 {
						return nil
					}
					return frame
				}
			},
			func(r *Report) bool { return r.Undelivered() == 10 },
		},
		"doubles one": {
			func(s *liar) {
				s.deliver = onlyFor(1, 9, func(f []byte) []byte { return append(append([]byte{}, f...), f...) })
			},
			func(r *Report) bool { return r.Tally.Doubled == 1 },
		},
		"swaps two": {
			func(s *liar) {
				held := make(map[int][]byte)
				s.deliver = func(member int, seq uint64, frame []byte) []byte {
					late := held[member]
					delete(held, member)
					if member == 1 && seq == 9 {
						held[member] = frame
						return nil
					}
					return append(append([]byte{}, frame...), late...)
				}
			},
			func(r *Report) bool { return r.Tally.Misordered == 1 && r.Tally.Lost == 0 },
		},
		"tells two stories": {
			func(s *liar) {
				s.deliver = onlyFor(1, 9, func(f []byte) []byte {
					return []byte(strings.Replace(string(f), `"time":1`, `"time":2`, 1))
				})
			},
			func(r *Report) bool { return r.Faults.Split == 1 },
		},
		"changes a text": {
			func(s *liar) {
				s.deliver = func(_ int, seq uint64, f []byte) []byte {
					if seq != 9 {
						return f
					}
					return []byte(strings.Replace(string(f), "..", ".,", 1))
				}
			},
			func(r *Report) bool { return r.Faults.Texts == 1 },
		},
		"acks twice": {
			func(s *liar) { s.ack = onlyAck(9, func(a string) []string { return []string{a, a} }) },
			func(r *Report) bool { return r.Answers.Twice == 1 },
		},
		"never acks": {
			func(s *liar) { s.ack = onlyAck(9, func(string) []string { return nil }) },
			func(r *Report) bool { return r.Answers.Missing == 1 },
		},
		"acks another seq": {
			func(s *liar) { s.ack = onlyAck(9, func(a string) []string { return []string{otherSeq(9, a)} }) },
			func(r *Report) bool { return r.Answers.WrongSeq == 1 },
		},
		"speaks no JSON": {
			func(s *liar) { s.deliver = onlyFor(1, 9, func([]byte) []byte { return text(`{"type":`) }) },
			func(r *Report) bool { return r.Faults.Events == 1 && r.Tally.Lost == 1 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startLiar(t, lie.tell)
			plan := short
			plan.Drain = 5 * second // for those whose lie leaves something open
			_, r := play(t, Config{Addr: s.listener.Addr().String(), Clients: 3, Rooms: 1}, plan, nil)
			if !lie.seen(r) {
				t.Errorf("not seen: %+v %+v %+v, %d undelivered", r.Answers, r.Tally, r.Faults, r.Undelivered())
			}
		})
	}
}

func onlyFor(member int, seq uint64, lie func([]byte) []byte) func(int, uint64, []byte) []byte {
	return func(m int, n uint64, frame []byte) []byte {
		if m == member && n == seq {
			return lie(frame)
		}
		return frame
	}
}

func onlyAck(seq uint64, lie func(string) []string) func(uint64, string) []string {
	return func(n uint64, ack string) []string {
		if n == seq {
			return lie(ack)
		}
		return []string{ack}
	}
}

// A restart must lose nothing that was acked, and the members must know where they were.
func TestGenerator_ResumesAcrossRestart(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{"ack after the store": false, "early ack": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startLiar(t, func(s *liar) {
				s.forget = func(seq uint64) bool { return early && s.epoch == 1 && seq > 20 }
			})
			at := s.listener.Addr().String()
			g, r := play(t, Config{Addr: at, Clients: 3, Rooms: 1, Resume: true}, short, s.restart)
			audit, err := g.Audit(5 * second)
			if err != nil || audit.Rooms != 1 || audit.Unread != 0 || audit.Broken != 0 {
				t.Fatalf("got %+v, %v", audit, err)
			}
			if r.Back != 3 || r.Gone != 0 {
				t.Errorf("got %d back, %d gone, want 3, 0", r.Back, r.Gone)
			}
			if early != (audit.Forgotten > 0) {
				t.Errorf("got %d acked messages forgotten", audit.Forgotten)
			}
			if lost := r.Tally.Lost + r.Undelivered(); !early && (lost != 0 || r.Faults != (Faults{})) {
				t.Errorf("got %d lost, %+v", lost, r.Faults)
			}
		})
	}
}
