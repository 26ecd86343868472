package gateway

import (
	"bufio"
	"bytes"
	"math/rand/v2"
	"nebula/frame"
	"nebula/netpoll"
	"nebula/shard"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// open reads the head of a new connection. It returns the session and how much
// of in belonged to the head once it is upgraded, nil before that; a connection
// that speaks plain HTTP leaves the loop.
func (l *Loop) open(c netpoll.Conn, in []byte) (*session, int) {
	verdict, n := frame.Scan(in)
	switch verdict {
	case frame.More:
		return nil, 0
	case frame.Plain:
		l.plain(c, in)
		return nil, len(in)
	case frame.Overlong:
		l.g.counters.BadHandshake.Add(1)
		b := l.answer()
		b.B = frame.AppendRefusal(b.B, &frame.Refusal{Status: http.StatusRequestHeaderFieldsTooLarge, Text: "request head too long"})
		l.finish(c, netpoll.ReasonHandshake)
		return nil, len(in)
	}
	s := l.upgrade(c, in[:n])
	if s == nil {
		n = len(in) // refused: what follows is not listened to
	}
	return s, n
}

// plain hands c with what was read from it to net/http.
func (l *Loop) plain(c netpoll.Conn, in []byte) {
	nc, err := c.Detach(bytes.Clone(in))
	if err != nil {
		c.Close(netpoll.ReasonError)
		return
	}
	if !l.g.cfg.Plain.offer(nc) {
		l.g.counters.PlainFull.Add(1)
		busy := frame.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: 1, Text: "busy"}
		_, _ = nc.Write(frame.AppendRefusal(nil, &busy)) // a fresh socket's buffer has room: no wait
		_ = nc.Close()
	}
}

// upgrade answers the complete head and, if it was right, makes c a session.
func (l *Loop) upgrade(c netpoll.Conn, head []byte) *session {
	var s *session
	judged := false
	b := l.answer()
	out, ok := frame.Upgrade(b.B, head, func(r *frame.Request) (string, *frame.Refusal) {
		judged = true
		addr := l.g.clientAddr(c, r.ForwardedFor)
		if refusal := l.judge(r, addr); refusal != nil {
			return "", refusal
		}
		user, name, cookie := l.g.cfg.Identify(r.Cookie, l.g.trusts(c), r.ForwardedProto)
		s = &session{client: shard.Client{User: user, Name: name, Out: c}, addr: addr}
		return cookie, nil
	})
	b.B = out
	if !ok {
		if !judged {
			l.g.counters.BadHandshake.Add(1)
		}
		l.finish(c, netpoll.ReasonHandshake)
		return nil
	}
	c.SetContext(s)
	l.g.sessions.Add(1)
	s.heard = l.time()
	// Spread the first heartbeat, or clients that came together are pinged together for ever.
	c.SetDeadline(l.g.cfg.Heartbeat/2 + rand.N(l.g.cfg.Heartbeat/2))
	b.B = frame.AppendWelcome(b.B, l.g.welcome(s))
	return s
}

// judge tells why the upgrade is refused, nil if it is not. It takes a place
// of addr's connections when it returns nil.
func (l *Loop) judge(r *frame.Request, addr netip.Addr) *frame.Refusal {
	g := l.g
	if g.draining.Load() {
		g.counters.Draining.Add(1)
		return &frame.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: 2, Text: "restarting"}
	}
	if g.cfg.Full() {
		g.counters.Full.Add(1)
		return &frame.Refusal{Status: http.StatusServiceUnavailable, RetryAfter: 5, Text: "full"}
	}
	if r.HasOrigin && (r.Origins > 1 || !g.cfg.OriginAllowed(r.Origin, r.Host)) {
		g.counters.OriginRefused.Add(1)
		return &frame.Refusal{Status: http.StatusForbidden, Text: "origin not allowed"}
	}
	if g.cfg.AddrLimit != nil {
		if wait := g.cfg.AddrLimit.Take(addr.String(), l.time()); wait > 0 {
			g.counters.AddrLimited.Add(1)
			return &frame.Refusal{Status: http.StatusTooManyRequests, RetryAfter: seconds(wait), Text: "too many connections a second"}
		}
	}
	if !g.admit(addr) {
		g.counters.AddrFull.Add(1)
		return &frame.Refusal{Status: http.StatusTooManyRequests, RetryAfter: 10, Text: "too many connections"}
	}
	return nil
}

// seconds rounds up for Retry-After (RFC 9110 section 10.2.3: whole seconds).
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }

func (g *Gateway) welcome(s *session) frame.Welcome {
	return frame.Welcome{
		User: s.client.User, Name: s.client.Name, Node: g.cfg.Node, Version: g.cfg.Version,
		HeartbeatMS: int(g.cfg.Heartbeat.Milliseconds()),
		TextBytes:   g.cfg.TextBytes, FrameBytes: g.cfg.FrameBytes, Rooms: g.cfg.MaxRooms,
		Rate: g.cfg.Rate, Burst: g.cfg.Burst,
	}
}

func (g *Gateway) trusts(c netpoll.Conn) bool {
	return g.cfg.TrustedProxy(c.Remote().Addr().Unmap())
}

// clientAddr is the peer's address or, behind trusted proxies, the last one in
// X-Forwarded-For that is not a trusted proxy itself.
func (g *Gateway) clientAddr(c netpoll.Conn, forwardedFor string) netip.Addr {
	addr := c.Remote().Addr().Unmap()
	for forwardedFor != "" && g.cfg.TrustedProxy(addr) {
		rest, last := "", forwardedFor
		if i := strings.LastIndexByte(forwardedFor, ','); i >= 0 {
			rest, last = forwardedFor[:i], forwardedFor[i+1:]
		}
		next, err := netip.ParseAddr(strings.TrimSpace(last))
		if err != nil {
			break
		}
		addr, forwardedFor = next.Unmap(), rest
	}
	return addr
}

// Upgrade is the http.Handler for an upgrade that came on a connection which
// net/http had already served: it goes back to a loop with its head.
func (g *Gateway) Upgrade(e netpoll.Engine) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hijacker, ok := w.(http.Hijacker)
		if !ok || r.ContentLength > 0 {
			http.Error(w, "cannot upgrade this connection", http.StatusBadRequest)
			return
		}
		var head bytes.Buffer
		writeHead(&head, r)
		nc, buffered, err := hijacker.Hijack()
		if err != nil {
			http.Error(w, "cannot upgrade this connection", http.StatusInternalServerError)
			return
		}
		readAhead(&head, buffered.Reader)
		_ = nc.SetDeadline(time.Time{}) // a closed connection shows at Adopt
		if err := e.Adopt(nc, head.Bytes()); err != nil {
			_ = nc.Close() // Adopt's error has no one left to be told
		}
	})
}

// writeHead writes r's request line and headers as they stand on the wire.
func writeHead(head *bytes.Buffer, r *http.Request) {
	head.WriteString(r.Method + " " + r.URL.RequestURI() + " " + r.Proto + "\r\nHost: " + r.Host + "\r\n")
	_ = r.Header.Write(head) // a bytes.Buffer does not fail
	head.WriteString("\r\n")
}

// readAhead appends what net/http had read past the head.
func readAhead(head *bytes.Buffer, r *bufio.Reader) {
	if n := r.Buffered(); n > 0 {
		ahead, _ := r.Peek(n) // buffered already: cannot fail
		head.Write(ahead)
	}
}
