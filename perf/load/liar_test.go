//go:build linux

package load

import (
	"bufio"
	"fmt"
	"nebula/perf/wire"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// liar is a chat server of one room that breaks its promises when told to.
type liar struct {
	t        *testing.T
	listener net.Listener
	running  sync.WaitGroup

	deliver func(member int, seq uint64, frame []byte) []byte // what a member gets for a message
	ack     func(seq uint64, ack string) []string             // what a sender gets for it
	forget  func(seq uint64) bool                             // acked and delivered, never stored

	mu      sync.Mutex
	epoch   int
	seq     uint64
	stored  []string // events
	members []net.Conn
	open    map[net.Conn]bool
}

func startLiar(t *testing.T, tell func(s *liar)) *liar {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &liar{
		t: t, listener: listener, epoch: 1, open: make(map[net.Conn]bool),
		deliver: func(_ int, _ uint64, frame []byte) []byte { return frame },
		ack:     func(_ uint64, ack string) []string { return []string{ack} },
		forget:  func(uint64) bool { return false },
	}
	tell(s)
	s.running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[conn] = true
			s.mu.Unlock()
			s.running.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		s.cut()
		s.running.Wait()
	})
	return s
}

// cut ends every connection.
func (s *liar) cut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for conn := range s.open {
		conn.Close()
	}
	clear(s.open)
	s.members = nil
}

// restart cuts every connection and goes on with what was stored, in another epoch.
func (s *liar) restart() {
	s.cut()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.seq = uint64(len(s.stored))
}

func (s *liar) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	request, err := http.ReadRequest(in)
	if err != nil {
		return
	}
	answer := wire.AppendSwitch(nil, []byte(request.Header.Get("Sec-WebSocket-Key")))
	_, _ = conn.Write(append(answer, text(`{"type":"welcome","user":"u","name":"n","node":"l","version":"1","heartbeat_ms":0,"limits":{}}`)...))
	var b []byte
	for {
		chunk := make([]byte, 4096)
		n, err := in.Read(chunk)
		if err != nil {
			return
		}
		b = append(b, chunk[:n]...)
		for {
			f, err := wire.NextMasked(b)
			if err != nil || f.Size == 0 {
				break
			}
			s.request(conn, f.Payload)
			b = b[f.Size:]
		}
	}
}

func (s *liar) request(conn net.Conn, payload []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r wire.Request
	if !s.open[conn] || !r.Decode(payload) {
		return
	}
	switch string(r.Type) {
	case "join":
		s.join(conn, payload, string(r.Room))
	case "history":
		before, _ := wire.Uint(wire.Field(payload, "before"))
		if before == 0 {
			before = uint64(len(s.stored)) + 1
		}
		from := max(int(before)-1-20, 0) // pages of 20
		s.write(conn, text(fmt.Sprintf(`{"type":"history","room":%q,"messages":[%s],"more":%v}`, r.Room, strings.Join(s.stored[from:before-1], ","), from > 0)))
	case "message":
		s.say(conn, &r)
	}
}

func (s *liar) join(conn net.Conn, payload []byte, room string) {
	s.members = append(s.members, conn)
	complete, messages := true, ""
	if wire.Field(payload, "epoch") != nil {
		after, _ := wire.Uint(wire.Field(payload, "after"))
		complete = after <= uint64(len(s.stored))
		messages = strings.Join(s.stored[min(int(after), len(s.stored)):], ",")
	}
	s.write(conn, text(fmt.Sprintf(`{"type":"joined","room":%q,"epoch":"%d","seq":%d,"users":[],"count":%d,"messages":[%s],"complete":%v}`,
		room, s.epoch, s.seq, len(s.members), messages, complete)))
}

func (s *liar) say(conn net.Conn, r *wire.Request) {
	s.seq++
	event := fmt.Sprintf(`{"type":"message","room":%q,"seq":%d,"id":%q,"user":"u","name":"n","text":%q,"time":1}`, r.Room, s.seq, r.ID, r.Text)
	if !s.forget(s.seq) {
		s.stored = append(s.stored, event)
	}
	for i, member := range s.members {
		s.write(member, s.deliver(i, s.seq, text(event)))
	}
	for _, ack := range s.ack(s.seq, fmt.Sprintf(`{"type":"ack","room":%q,"id":%q,"seq":%d,"time":1}`, r.Room, r.ID, s.seq)) {
		s.write(conn, text(ack))
	}
}

func (s *liar) write(conn net.Conn, b []byte) {
	if len(b) > 0 {
		_, _ = conn.Write(b)
	}
}

func text(payload string) []byte { return wire.AppendFrame(nil, wire.OpText, []byte(payload)) }

// otherSeq is an ack that names another seq.
func otherSeq(seq uint64, ack string) string {
	return strings.Replace(ack, `"seq":`+strconv.FormatUint(seq, 10), `"seq":`+strconv.FormatUint(seq+1, 10), 1)
}
