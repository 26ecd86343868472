package main

import (
	"bytes"
	"fmt"
	"io"
	"nebula/netpoll"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
)

// bystander is a client who must not feel what another one does.
type bystander struct {
	*client
	said int
}

func (s *server) bystander() *bystander {
	s.t.Helper()
	b := &bystander{client: s.dial("")}
	b.join("bystanders")
	return b
}

// unaffected has the bystander say something and hear it.
func (b *bystander) unaffected(t *testing.T) {
	t.Helper()
	b.t = t
	b.said++
	b.say("bystanders", fmt.Sprint("still-", b.said), "still here")
}

// raw is a frame as an attacker may write it: the first byte, the second, and the rest.
func raw(first, second byte, rest ...byte) string {
	return string(append([]byte{first, second}, rest...))
}

// masked is a frame with a correct mask of zeros.
func masked(first byte, payload string) string {
	return raw(first, 0x80|byte(len(payload)), 0, 0, 0, 0) + payload
}

func TestAbuse_BrokenFrames(t *testing.T) {
	s := startServer(t)
	other := s.bystander()
	for _, one := range []struct {
		name, send string
		code       ws.StatusCode
	}{
		{"Unmasked", raw(0x81, 2) + "{}", 1002},
		{"ReservedBit", masked(0xC1, "{}"), 1002},
		{"ReservedOpcode", masked(0x83, "{}"), 1002},
		{"ReservedControl", masked(0x8B, ""), 1002},
		{"FragmentedPing", masked(0x09, ""), 1002},
		{"LongPing", raw(0x89, 0xFE, 0, 126, 0, 0, 0, 0), 1002},
		{"ContinuationOfNothing", masked(0x80, "x"), 1002},
		{"TextInsideText", masked(0x01, "x") + masked(0x81, "y"), 1002},
		{"LengthNotShortest", raw(0x81, 0xFE, 0, 2, 0, 0, 0, 0) + "{}", 1002},
		{"LengthNegative", raw(0x81, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 1002},
		{"HalfACloseCode", masked(0x88, "x"), 1002},
		{"BadCloseCode", masked(0x88, "\x03\xed"), 1002}, // 1005
		{"BadCloseReason", masked(0x88, "\x03\xe8\xff"), 1007},
		{"BadUTF8", masked(0x81, "{\"type\":\"\xff\"}"), 1007},
		{"BadUTF8InAFragment", masked(0x01, "\xff"), 1007},
		{"Binary", masked(0x82, "x"), 1003},
		{"TooBig", raw(0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0), 1009},
		{"TooBigBeyondMemory", raw(0x81, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0), 1009},
		{"TooBigInSum", masked(0x01, "x") + raw(0x80, 0xFE, 0x80, 0x00, 0, 0, 0, 0), 1009},
		{"Goodbye", masked(0x88, "\x03\xe8bye"), 1000},
	} {
		t.Run(one.name, func(t *testing.T) {
			c := s.dial("")
			c.t = t
			c.join("r")
			c.write(one.send)
			c.wantClose(one.code)
			other.unaffected(t)
		})
	}
}

func TestAbuse_OneByteAtATime(t *testing.T) {
	s := startServer(t)
	c := dialRaw(t, s.addr)
	head := s.upgradeHead("")
	frames := masked(0x81, `{"type":"join","room":"r"}`) + masked(0x89, "p") + masked(0x01, `{"type":"pi`) + masked(0x80, `ng","t":5}`)
	for _, b := range []byte(head + frames) { // the frames do not wait for the 101
		c.write(string([]byte{b}))
	}
	if answer := c.head(); !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		t.Fatalf("got %q", answer)
	}
	c.want("welcome")
	missing := map[string]bool{"joined": true, "pong": true, "pong frame p": true} // a cold room answers late
	for len(missing) > 0 {
		f, err := c.read()
		switch {
		case err != nil:
			t.Fatalf("%v, still missing %v", err, missing)
		case f.Header.OpCode == ws.OpPong:
			delete(missing, "pong frame "+string(f.Payload))
		default:
			delete(missing, decode(t, f.Payload).Type)
		}
	}
}

func TestAbuse_Handshakes(t *testing.T) {
	s := startServer(t, "-origins", "good.example")
	other := s.bystander()
	head := s.upgradeHead("")
	swap := func(old, with string) string { return strings.Replace(head, old, with, 1) }
	with := func(field string) string { return strings.TrimSuffix(head, "\r\n") + field + "\r\n\r\n" }
	for _, one := range []struct {
		name, send string
		status     int
	}{
		{"OriginElsewhere", with("Origin: https://evil.example"), 403},
		{"OriginNull", with("Origin: null"), 403},
		{"OriginTwice", with("Origin: http://" + s.addr + "\r\nOrigin: http://" + s.addr), 403},
		{"OriginOther Port", with("Origin: http://127.0.0.1:1"), 403},
		{"OriginOwn", with("Origin: http://" + s.addr), 101},
		{"OriginAllowed", with("Origin: https://good.example"), 101},
		{"HTTP10", swap("HTTP/1.1", "HTTP/1.0"), 400},
		{"Post", swap("GET", "POST"), 405},
		{"Version12", swap("Version: 13", "Version: 12"), 426},
		{"NoVersion", swap("Sec-WebSocket-Version: 13\r\n", ""), 426},
		{"NoKey", swap("Sec-WebSocket-Key", "X-Key"), 400},
		{"NoUpgrade", swap("Upgrade: websocket\r\n", ""), 426},
		{"Overlong", with("X-Long: " + strings.Repeat("x", 9000)), 431},
		{"ForgedCookie", with("Cookie: nebula_session=forged"), 101},
		{"Garbage", "\x16\x03\x01\x02\x00\n\r\n\r\n", 400},
	} {
		t.Run(one.name, func(t *testing.T) {
			c := dialRaw(t, s.addr)
			c.write(one.send)
			if answer := c.head(); !strings.HasPrefix(answer, fmt.Sprintf("HTTP/1.1 %d ", one.status)) {
				t.Fatalf("got %q, want %d", answer, one.status)
			} else if one.status == 426 && !strings.Contains(strings.ToLower(answer), "sec-websocket-version: 13\r\n") {
				t.Errorf("426 names no version: %q", answer)
			}
			other.unaffected(t)
		})
	}
	if got := s.metric("nebula_cookie_rejections_total"); got != 1 {
		t.Errorf("%v cookies rejected, want 1", got)
	}
	if got := s.metric(`nebula_connections_rejected_total{reason="origin"}`); got != 4 {
		t.Errorf("%v origins rejected, want 4", got)
	}
}

func TestAbuse_TooManyConnections(t *testing.T) {
	s := startServer(t, "-max-conns", "3")
	var in []*client
	for range 3 {
		in = append(in, s.dial(""))
	}
	c := dialRaw(t, s.addr)
	c.write(s.upgradeHead(""))
	if answer := c.head(); !strings.HasPrefix(answer, "HTTP/1.1 503 ") || !strings.Contains(answer, "Retry-After: ") {
		t.Fatalf("got %q, want 503", answer)
	}
	c.conn.Close()
	in[0].conn.Close()
	s.await("a place to get free", func() bool { return s.engine.Stats().Connections < 3 })
	s.dial("")
}

func TestAbuse_PerAddress(t *testing.T) {
	s := startServer(t, "-ip-conns", "2", "-trusted-proxies", "127.0.0.0/8")
	ask := func(from string) string {
		c := dialRaw(t, s.addr)
		c.write(strings.TrimSuffix(s.upgradeHead(""), "\r\n") + "X-Forwarded-For: " + from + "\r\n\r\n")
		return c.head()
	}
	for _, one := range []struct{ from, want string }{
		{"198.51.100.1", "101"},
		{"198.51.100.1", "101"},
		{"198.51.100.1", "429"},
		{"198.51.100.2", "101"},
		{"198.51.100.1, 198.51.100.3", "101"}, // the last one is who the proxy saw
	} {
		if answer := ask(one.from); !strings.HasPrefix(answer, "HTTP/1.1 "+one.want) {
			t.Fatalf("%s: got %q, want %s", one.from, answer, one.want)
		}
	}
}

func TestAbuse_UpgradeRate(t *testing.T) {
	s := startServer(t, "-ip-rate", "0.001", "-ip-burst", "2")
	s.dial("")
	s.dial("")
	c := dialRaw(t, s.addr)
	c.write(s.upgradeHead(""))
	if answer := c.head(); !strings.HasPrefix(answer, "HTTP/1.1 429 ") || !strings.Contains(answer, "Retry-After: ") {
		t.Fatalf("got %q, want 429", answer)
	}
}

func TestAbuse_MessageRate(t *testing.T) {
	s := startServer(t, "-rate", "0.001", "-burst", "2")
	other := s.dial("")
	other.join("r")
	c := s.dial("")
	if limits := c.me.Limits; limits["rate"] != 0.001 || limits["burst"] != 2 {
		t.Fatalf("announced limits: %v", limits)
	}
	c.join("r")
	c.say("r", "a", "1")
	c.say("r", "b", "2")
	for range abuseErrors {
		c.send(`{"type":"message","room":"r","id":"c","text":"3"}`)
		if e := c.wantError("rate_limited"); e.RetryMS <= 0 || e.ID != "c" || e.Room != "r" {
			t.Fatalf("error: %+v", e)
		}
	}
	c.send(`{"type":"message","room":"r","text":"3"}`)
	c.wantClose(1008)
	if e := other.want("message"); e.Seq != 1 {
		t.Fatalf("the other saw %+v", e)
	}
}

// abuseErrors is the limit of protocol.md section 3.
const abuseErrors = 20

// TestAbuse_SlowReaderIsClosedAndResumes has one member stop reading while the other floods the room.
func TestAbuse_SlowReaderIsClosedAndResumes(t *testing.T) {
	s := startServer(t, "-text-bytes", "65536", "-frame-bytes", "400000", "-send-bytes", "1600000")
	slow, fast := s.dial(""), s.dial("")
	joined := slow.join("r")
	fast.join("r")
	text := strings.Repeat("long ", 13000)
	last := uint64(0)
	for n := 0; s.engine.Stats().SlowConsumers == 0; n++ {
		if n == 10_000 {
			t.Fatal("the slow reader was never closed")
		}
		last = fast.say("r", fmt.Sprint(n), text).Seq
	}
	// What it did get is whole and in order, then the close frame and the end.
	seen := uint64(0)
	for {
		f, err := slow.read()
		if err != nil {
			t.Fatalf("after seq %d: %v, want a close frame", seen, err)
		}
		if f.Header.OpCode == ws.OpClose {
			if code, _ := ws.ParseCloseFrameData(f.Payload); code != 1013 {
				t.Fatalf("close %d, want 1013", code)
			}
			break
		}
		if e := decode(t, f.Payload); e.Type == "message" {
			if e.Seq != seen+1 {
				t.Fatalf("seq %d after %d", e.Seq, seen)
			}
			seen = e.Seq
		}
	}
	if n, _ := io.Copy(io.Discard, slow.conn); n > 0 {
		t.Errorf("%d bytes after the close frame", n)
	}
	again := s.dial(slow.cookie)
	again.send(`{"type":"join","room":"r","epoch":%q,"after":%d}`, joined.Epoch, seen)
	resumed := again.want("joined")
	if resumed.Seq < last || len(resumed.Messages) == 0 {
		t.Fatalf("resumed: %d messages up to %d, want up to %d", len(resumed.Messages), resumed.Seq, last)
	}
	if resumed.Complete && resumed.Messages[0].Seq != seen+1 {
		t.Fatalf("complete, but from %d after %d", resumed.Messages[0].Seq, seen)
	}
}

func TestAbuse_Resets(t *testing.T) {
	s := startServer(t)
	other := s.bystander()
	for range 50 {
		c := s.dial("")
		c.join("r")
		c.send(`{"type":"message","room":"r","text":"last words"}`)
		if err := c.conn.(*net.TCPConn).SetLinger(0); err != nil {
			t.Fatal(err)
		}
		c.conn.Close() // RST
	}
	other.unaffected(t)
	s.await("everybody but the bystander to be gone", func() bool { return s.engine.Stats().Connections == 1 && s.set.Stats().Members == 1 })
}

func TestAbuse_HTTPOnThePublicPort(t *testing.T) {
	for _, engine := range netpoll.Engines() {
		t.Run(engine, func(t *testing.T) { httpOnThePublicPort(t, startServer(t, "-engine", engine)) })
	}
}

func httpOnThePublicPort(t *testing.T, s *server) {
	t.Helper()
	for path, want := range map[string]int{
		"/": 200, "/healthz": 200, "/readyz": 200, "/session": 200, "/static/app.js": 200,
		"/ws": 426, "/metrics": 404, "/debug/pprof/": 404, "/dashboard": 404, "/nothing": 404, "/static/../../go.mod": 404,
	} {
		answer, err := http.Get("http://" + s.addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, answer.Body)
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, answer.StatusCode, want)
		}
	}
	// An upgrade on a connection that net/http had before goes back to a loop.
	c := dialRaw(t, s.addr)
	c.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer := c.head(); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
		t.Fatalf("got %q", answer)
	}
	if _, err := io.ReadFull(c.conn, make([]byte, len("ok\n"))); err != nil {
		t.Fatal(err)
	}
	c.write(s.upgradeHead("") + masked(0x81, `{"type":"ping"}`))
	if answer := c.head(); !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		t.Fatalf("got %q", answer)
	}
	c.want("welcome")
	c.want("pong")
	s.dial("").join("r")
	c.join("r")
	c.say("r", "one", "hello")
}

func TestAbuse_IdleIsPingedThenClosed(t *testing.T) {
	s := startServer(t, "-heartbeat", "1s")
	c := s.dial("")
	began := time.Now()
	pings := 0
	for {
		f, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if f.Header.OpCode == ws.OpClose {
			if code, _ := ws.ParseCloseFrameData(f.Payload); code != 1001 {
				t.Fatalf("close %d, want 1001", code)
			}
			break
		}
		if f.Header.OpCode == ws.OpPing {
			pings++
		}
	}
	if pings != 2 || time.Since(began) < 2*time.Second {
		t.Fatalf("closed after %v and %d pings, want 2.5 heartbeats and 2", time.Since(began), pings)
	}
}

func TestAbuse_HalfSentHandshakes(t *testing.T) {
	s := startServer(t)
	head := s.upgradeHead("")
	for cut := 0; cut < len(head); cut += 7 {
		c := dialRaw(t, s.addr)
		c.write(head[:cut])
		if cut%2 == 0 {
			if err := c.conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if rest, err := io.ReadAll(c.conn); err != nil || bytes.Contains(rest, []byte("101")) {
				t.Fatalf("cut at %d: %q %v", cut, rest, err)
			}
		}
		c.conn.Close()
	}
	s.await("all of them to be gone", func() bool { return s.engine.Stats().Connections == 0 })
	s.bystander().unaffected(t)
}
