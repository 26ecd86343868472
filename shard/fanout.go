package shard

import (
	"nebula/frame"
	"runtime"
	"sync"
)

// laneMembers is the size from which a room's turn is sent by one goroutine a
// core, so that the last member is served sooner: `go run ./perf/rows -only one-room`.
const laneMembers = 4000

// flush sends the open turn to every member: one contiguous buffer, one send each.
func (s *Shard) flush(r *room) {
	if len(r.frames) == 0 {
		return
	}
	turn := r.frames[0]
	if len(r.frames) > 1 {
		turn = frame.Get(r.size)
		for _, f := range r.frames {
			turn.B = append(turn.B, f.Bytes()...)
			f.Release()
		}
	}
	sent := fanOut(r.outs, turn)
	turn.Release()
	s.opened--
	r.sent = s.now
	s.deliveries.Add(uint64(len(r.reads) * sent))
	if len(r.reads) > 0 {
		now := s.cfg.Now()
		for _, read := range r.reads {
			s.delay.Observe(float64(now-read)/1e9, sent)
		}
	}
	clear(r.frames)
	r.frames, r.reads, r.size = r.frames[:0], r.reads[:0], 0
}

// fanOut lends turn to every outlet and returns how many took it. In a big room
// it is shared out to lanes and waits for them, so that members change only
// between turns.
func fanOut(outs []Outlet, turn *frame.Buf) (sent int) {
	lanes := runtime.GOMAXPROCS(0)
	if len(outs) < laneMembers || lanes == 1 {
		return sendAll(outs, turn)
	}
	var counts sync.WaitGroup
	took := make([]int, lanes)
	for i := range lanes - 1 {
		lane := outs[len(outs)*i/lanes : len(outs)*(i+1)/lanes]
		counts.Go(func() { took[i] = sendAll(lane, turn) })
	}
	took[lanes-1] = sendAll(outs[len(outs)*(lanes-1)/lanes:], turn)
	counts.Wait()
	for _, n := range took {
		sent += n
	}
	return sent
}

func sendAll(outs []Outlet, turn *frame.Buf) (sent int) {
	for _, out := range outs {
		if out.Send(turn) {
			sent++
		}
	}
	return sent
}
