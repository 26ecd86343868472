//go:build !race

package gateway

import (
	"fmt"
	"nebula/netpoll"
	"nebula/shard"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// sink is a netpoll.Conn that takes everything and keeps nothing.
type sink struct {
	context any
	sends   int
}

func (s *sink) Send(netpoll.Payload) bool              { s.sends++; return true }
func (s *sink) Finish(netpoll.Payload, netpoll.Reason) {}
func (s *sink) Close(netpoll.Reason)                   {}
func (s *sink) Remote() netip.AddrPort                 { return netip.MustParseAddrPort("127.0.0.1:9") }
func (s *sink) Context() any                           { return s.context }
func (s *sink) SetContext(v any)                       { s.context = v }
func (s *sink) SetDeadline(time.Duration)              {}
func (s *sink) Detach(unread []byte) (net.Conn, error) { return nil, netpoll.ErrClosed }

const members = 100

// room is a Loop with members in one room; the first one's connection is returned.
func room(tb testing.TB) (*Loop, []*sink) {
	now := time.Now().UnixNano()
	set := shard.NewSet(shard.Config{Shards: 1, Now: func() int64 { now += 1000; return now }, KeepRooms: true}, nil, nil, nil)
	tb.Cleanup(set.Close)
	g := New(Config{
		Set:           set,
		Identify:      func(string, bool, string) (string, string, string) { return "u", "n", "" },
		OriginAllowed: func(string, string) bool { return true },
		TrustedProxy:  func(netip.Addr) bool { return false },
		Full:          func() bool { return false },
		UserLimit:     shard.NewLimiter(1e9, 1e6),
		MaxRooms:      10, FrameBytes: 32768, TextBytes: 4096, Heartbeat: time.Minute,
		Now: func() int64 { return now },
	})
	l := g.Handler(0).(*Loop)
	conns := make([]*sink, members)
	for i := range conns {
		conns[i] = &sink{}
		head := "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		l.Open(conns[i])
		l.Data(conns[i], append([]byte(head), masked(`{"type":"join","room":"r"}`)...))
		l.EndBatch()
	}
	return l, conns
}

func masked(text string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewTextFrame([]byte(text))))
}

// TestAlloc_MessageFromSocketToMembers counts what a message costs from the bytes read to the last send.
// What is left is the growth of the room's dedupe window and tail, spread over many messages.
func TestAlloc_MessageFromSocketToMembers(t *testing.T) {
	l, conns := room(t)
	n := 0
	var frames [][]byte
	for i := range 5000 {
		frames = append(frames, masked(fmt.Sprintf(`{"type":"message","room":"r","id":"id-%d","text":"a text of some length"}`, i)))
	}
	one := func() {
		l.Data(conns[0], frames[n])
		l.EndBatch()
		n++
	}
	for range 3000 { // until the room's window and tail have their size
		one()
	}
	before := conns[members-1].sends
	if allocs := testing.AllocsPerRun(1000, one); allocs > 0 {
		t.Errorf("%v allocations a message to %d members, want 0", allocs, members)
	}
	if got := conns[members-1].sends - before; got != 1001 {
		t.Errorf("the last member was sent to %d times, want 1001", got)
	}
}

func BenchmarkLoop_MessageToMembers(b *testing.B) {
	l, conns := room(b)
	frame := masked(`{"type":"message","room":"r","text":"a text of some length"}`) // a new id each time
	in := make([]byte, len(frame))
	b.ReportAllocs()
	for b.Loop() {
		copy(in, frame)
		l.Data(conns[0], in)
		l.EndBatch()
	}
}
