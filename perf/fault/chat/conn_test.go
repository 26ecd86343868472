package chat

import (
	"errors"
	"nebula/perf/wire"
	"net"
	"strings"
	"testing"
	"time"
)

const welcome = `{"type":"welcome","user":"u1","name":"n","node":"start-3","version":"1","heartbeat_ms":25000,"limits":{}}`

// serve answers one upgrade, then writes pieces with a pause between. It returns
// the address, and what the client wrote after its request.
func serve(t *testing.T, cookie string, pieces ...[]byte) (addr string, said <-chan string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	heard, done := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(done)
		heard <- answer(t, listener, cookie, pieces)
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().String(), heard
}

func answer(t *testing.T, listener net.Listener, cookie string, pieces [][]byte) (said string) {
	socket, err := listener.Accept()
	if err != nil {
		t.Error(err)
		return ""
	}
	defer socket.Close()
	b := make([]byte, 4096)
	n, err := socket.Read(b)
	if err != nil {
		t.Error(err)
		return ""
	}
	if !strings.Contains(string(b[:n]), cookie) {
		t.Errorf("no cookie %q in %q", cookie, b[:n])
	}
	key, _, err := wire.ReadRequest(b[:n])
	if err != nil {
		t.Error(err)
		return ""
	}
	head := wire.AppendSwitch(nil, key)
	head = append(head[:len(head)-2], "Set-Cookie: nebula_session=abc; Path=/\r\n\r\n"...)
	pieces = append([][]byte{wire.AppendFrame(head, wire.OpText, []byte(welcome))}, pieces...)
	for _, piece := range pieces {
		if _, err := socket.Write(piece); err != nil {
			t.Error(err)
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	_ = socket.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	n, _ = socket.Read(b)
	for rest := b[:n]; ; {
		f, err := wire.NextMasked(rest)
		if f.Size == 0 || err != nil {
			return said
		}
		said += string(rune('0'+f.Op)) + string(f.Payload) + ";"
		rest = rest[f.Size:]
	}
}

func dial(t *testing.T, addr, cookie string) *Conn {
	t.Helper()
	c, err := Dial(addr, cookie, 7, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConn_TimeoutLosesNothing(t *testing.T) {
	frame := wire.AppendFrame(nil, wire.OpText, []byte(`{"type":"ack","room":"r","id":"a","seq":9,"time":1}`))
	frame = append(wire.AppendFrame(nil, wire.OpPing, []byte("p")), frame...)
	addr, said := serve(t, "Cookie: nebula_session=mine", frame[:10], frame[10:20], frame[20:])
	c := dial(t, addr, "nebula_session=mine")
	if c.User != "u1" || c.Node != "start-3" || c.Cookie != "nebula_session=abc" {
		t.Errorf("got %+v", c)
	}
	var e wire.Event
	for tries := 0; ; tries++ {
		err := c.Read(&e, time.Millisecond)
		if err == nil {
			break
		}
		if !errors.Is(err, ErrIdle) || tries > 5000 {
			t.Fatal(err)
		}
	}
	if e.Kind != wire.KindAck || e.Seq != 9 {
		t.Errorf("got %+v", e)
	}
	if got := <-said; got != ":p;" { // opcode 0xA
		t.Errorf("the ping was answered with %q", got)
	}
}

func TestConn_EndsAndBreachesAreTold(t *testing.T) {
	for name, c := range map[string]struct {
		bytes []byte
		want  error
		code  int
	}{
		"close":         {wire.AppendFrame(nil, wire.OpClose, wire.AppendClose(nil, 1012, "restart")), nil, 1012},
		"no JSON":       {wire.AppendFrame(nil, wire.OpText, []byte(`{"type":"pong","t":01}`)), ErrProtocol, 0},
		"no message":    {wire.AppendFrame(nil, wire.OpText, []byte(`{"type":"noise"}`)), ErrProtocol, 0},
		"binary":        {wire.AppendFrame(nil, wire.OpBinary, []byte(`{}`)), ErrProtocol, 0},
		"no frame":      {[]byte{0xff, 0xff}, ErrProtocol, 0},
		"the end alone": {nil, nil, 0},
	} {
		addr, _ := serve(t, "", c.bytes)
		conn := dial(t, addr, "")
		var e wire.Event
		err := conn.Read(&e, 5*time.Second)
		var closed *CloseError
		switch {
		case err == nil, errors.Is(err, ErrIdle), c.want != nil && !errors.Is(err, c.want), c.want == nil && errors.Is(err, ErrProtocol):
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		case c.code != 0 && (!errors.As(err, &closed) || closed.Code != c.code):
			t.Errorf("%s: got %v, want code %d", name, err, c.code)
		}
	}
}

func TestMessages_UndoesEscapes(t *testing.T) {
	list := `[{"type":"message","room":"r","seq":4,"id":"i","user":"u","name":"n","text":"a\"\u00e9\n","time":5}]`
	all, err := Messages([]byte(list))
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	if m := all[0].Said.Value(); all[0].Seq != 4 || m.Text != "a\"é\n" || m.ID != "i" || m.User != "u" || m.Time != 5 {
		t.Errorf("got %d %+v", all[0].Seq, m)
	}
	for _, bad := range []string{`{}`, `[{"type":"message"}]`, `[`} {
		if _, err := Messages([]byte(bad)); !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: got %v, want ErrProtocol", bad, err)
		}
	}
}
