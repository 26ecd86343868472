package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"nebula/frame"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"go.uber.org/goleak"
)

// patience bounds every wait of these tests; no test measures time with it.
const patience = 20 * time.Second

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	code := m.Run()
	http.DefaultClient.CloseIdleConnections()
	if code == 0 {
		if err := leaks(); err != nil {
			fmt.Fprintln(os.Stderr, "left over:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// leaks looks for goroutines, buffers and descriptors of servers that are gone.
func leaks() error {
	if err := goleak.Find(); err != nil {
		return err
	}
	if n := frame.Live(); n != 0 {
		return fmt.Errorf("%d frame.Bufs", n)
	}
	return openSockets()
}

// openSockets reports sockets that are still open; pipes to the test runner and
// epoll descriptors of Go's own poller are not ours.
func openSockets() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && strings.HasPrefix(target, "socket:") {
			return fmt.Errorf("descriptor %s: %s", entry.Name(), target)
		}
	}
	return nil
}

// server is a Nebula inside the test process.
type server struct {
	*app
	t    *testing.T
	cfg  config
	addr string
	down bool
}

// serverConfig is a test's settings: free ports, a folder of its own, no limits.
func serverConfig(t *testing.T, args ...string) config {
	t.Helper()
	args = append([]string{
		"-addr", "127.0.0.1:0", "-admin", "127.0.0.1:0", "-data", t.TempDir(), "-rate", "0", "-ip-rate", "0",
		"-presence-grace", "100ms", "-max-conns", "2000",
	}, args...)
	cfg, err := parse(args, func(string) (string, bool) { return "", false }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	return startConfig(t, serverConfig(t, args...))
}

func startConfig(t *testing.T, cfg config) *server {
	t.Helper()
	a, err := start(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &server{app: a, t: t, cfg: cfg, addr: a.engine.Addr().String()}
	t.Cleanup(s.stop)
	return s
}

// stop drains the server; it must end cleanly.
func (s *server) stop() {
	s.t.Helper()
	if s.down {
		return
	}
	s.down = true
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.app.stop(ctx); err != nil {
		s.t.Errorf("stop: %v", err)
	}
}

// restart stops the server and starts another on the same port and folder.
func (s *server) restart() *server {
	s.t.Helper()
	s.stop()
	cfg := s.cfg
	cfg.addr = s.addr
	return startConfig(s.t, cfg)
}

// event is any message of the server; fields that its type has not stay zero.
type event struct {
	Type, Room, Code, Message, ID, User, Name, Text, Node, Version, Epoch, Reason string
	Seq                                                                           uint64
	Time, Count, Offset                                                           int64
	RetryMS                                                                       int `json:"retry_ms"`
	HeartbeatMS                                                                   int `json:"heartbeat_ms"`
	Complete, More                                                                bool
	Messages                                                                      []event
	Users                                                                         []person
	Joined                                                                        []person
	Left                                                                          []person
	T                                                                             json.Number
	Limits                                                                        map[string]float64
}

type person struct{ User, Name string }

// client is a WebSocket client that sees every byte.
type client struct {
	t      *testing.T
	conn   net.Conn
	cookie string
	me     event // its welcome
}

// dial upgrades and reads the welcome; cookie may be empty.
func (s *server) dial(cookie string) *client {
	s.t.Helper()
	c := dialRaw(s.t, s.addr)
	c.cookie = cookie
	c.write(s.upgradeHead(cookie))
	answer := c.head()
	if !strings.HasPrefix(answer, "HTTP/1.1 101 ") {
		s.t.Fatalf("upgrade answered %q", answer)
	}
	for line := range strings.SplitSeq(answer, "\r\n") {
		if value, ok := strings.CutPrefix(line, "Set-Cookie: "); ok {
			c.cookie, _, _ = strings.Cut(value, ";")
		}
	}
	c.me = c.want("welcome")
	return c
}

// upgradeHead is a correct request; cookie may be empty.
func (s *server) upgradeHead(cookie string) string {
	head := "GET /ws HTTP/1.1\r\nHost: " + s.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	if cookie != "" {
		head += "Cookie: " + cookie + "\r\n"
	}
	return head + "\r\n"
}

// await polls a condition that becomes true by itself.
func (s *server) await(what string, done func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s", what)
		}
	}
}

// metrics reads /metrics.
func (s *server) metrics() string {
	s.t.Helper()
	answer, err := http.Get("http://" + s.adminPort.Addr().String() + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(body)
}

// metric reads one sample of /metrics, named with its labels.
func (s *server) metric(name string) float64 {
	s.t.Helper()
	for line := range strings.Lines(s.metrics()) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			number, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				s.t.Fatal(err)
			}
			return number
		}
	}
	s.t.Fatalf("no metric %s", name)
	return 0
}

func dialRaw(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

// head reads an HTTP answer up to its empty line, byte by byte.
func (c *client) head() string {
	c.t.Helper()
	var out []byte
	one := make([]byte, 1)
	c.beforeWait()
	for !strings.HasSuffix(string(out), "\r\n\r\n") {
		if _, err := io.ReadFull(c.conn, one); err != nil {
			c.t.Fatalf("read the head after %q: %v", out, err)
		}
		out = append(out, one[0])
	}
	return string(out)
}

// beforeWait gives the next wait its deadline.
func (c *client) beforeWait() {
	_ = c.conn.SetDeadline(time.Now().Add(patience)) // a closed connection shows in what follows
}

func (c *client) write(raw string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, raw); err != nil {
		c.t.Fatal(err)
	}
}

// send sends one text message.
func (c *client) send(format string, args ...any) {
	c.t.Helper()
	text := fmt.Sprintf(format, args...)
	if err := ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewTextFrame([]byte(text)))); err != nil {
		c.t.Fatal(err)
	}
}

// read returns the next frame, whatever it is.
func (c *client) read() (ws.Frame, error) {
	c.beforeWait()
	header, err := ws.ReadHeader(c.conn)
	if err != nil {
		return ws.Frame{}, err
	}
	if header.Masked || header.Length > 1<<24 {
		return ws.Frame{}, fmt.Errorf("no server sends this: %+v", header)
	}
	f := ws.Frame{Header: header, Payload: make([]byte, header.Length)}
	_, err = io.ReadFull(c.conn, f.Payload)
	return f, err
}

// next returns the next chat message and answers pings on the way.
func (c *client) next() event {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatalf("read: %v", err)
		}
		switch f.Header.OpCode {
		case ws.OpPing:
			if err := ws.WriteFrame(c.conn, ws.MaskFrame(ws.NewPongFrame(f.Payload))); err != nil {
				c.t.Fatal(err)
			}
			continue
		case ws.OpText:
		default:
			c.t.Fatalf("got frame %v %q, want text", f.Header.OpCode, f.Payload)
		}
		return decode(c.t, f.Payload)
	}
}

func decode(t *testing.T, payload []byte) event {
	t.Helper()
	var e event
	if err := json.Unmarshal(payload, &e); err != nil {
		t.Fatalf("%v in %q", err, payload)
	}
	return e
}

// want reads until a message of the type comes.
func (c *client) want(kind string) event {
	c.t.Helper()
	for {
		e := c.next()
		if e.Type == kind {
			return e
		}
		if e.Type == "error" {
			c.t.Fatalf("got error %+v, want %s", e, kind)
		}
	}
}

// wantError reads until an error comes; it must have the code.
func (c *client) wantError(code string) event {
	c.t.Helper()
	for {
		if e := c.next(); e.Type == "error" {
			if e.Code != code {
				c.t.Fatalf("got error %s (%s), want %s", e.Code, e.Message, code)
			}
			if e.Message == "" {
				c.t.Errorf("error %s says nothing to people", code)
			}
			return e
		}
	}
}

// wantClose reads until the close frame, which must have the code, and the end
// of the connection.
func (c *client) wantClose(code ws.StatusCode) {
	c.t.Helper()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Fatalf("read: %v, want close %d", err, code)
		}
		if f.Header.OpCode != ws.OpClose {
			continue
		}
		if got, reason := ws.ParseCloseFrameData(f.Payload); got != code {
			c.t.Fatalf("got close %d %q, want %d", got, reason, code)
		}
		break
	}
	c.beforeWait()
	if n, err := io.Copy(io.Discard, c.conn); n > 0 {
		c.t.Errorf("%d bytes after the close frame (%v)", n, err)
	}
}

// join joins the room and returns the answer.
func (c *client) join(room string) event {
	c.t.Helper()
	c.send(`{"type":"join","room":%q}`, room)
	return c.want("joined")
}

// say sends a message and waits for its ack.
func (c *client) say(room, id, text string) event {
	c.t.Helper()
	c.send(`{"type":"message","room":%q,"id":%q,"text":%q}`, room, id, text)
	return c.want("ack")
}
