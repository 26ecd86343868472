package gateway

import (
	"nebula/frame"
	"nebula/netpoll"
	"nebula/shard"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Config is what a Gateway needs to know. All functions are called on event
// loops: they must not block.
type Config struct {
	Set *shard.Set // the rooms

	// Identify tells who sends this raw Cookie header (may be empty); setCookie
	// is the Set-Cookie value for an identity made just now, else "". A trusted
	// peer's X-Forwarded-Proto is believed.
	Identify func(cookie string, trusted bool, forwardedProto string) (user, name, setCookie string)
	// OriginAllowed judges an Origin header; a request without one is allowed.
	OriginAllowed func(origin, host string) bool
	// TrustedProxy tells whether X-Forwarded-* from this address is believed.
	TrustedProxy func(netip.Addr) bool
	// Full tells whether there are as many connections as there may be.
	Full func() bool
	// Plain is where connections go that speak plain HTTP.
	Plain *Listener

	UserLimit *shard.Limiter // messages by user; nil: none
	AddrLimit *shard.Limiter // upgrades by address; nil: none
	AddrConns int            // open connections by address; 0: no limit

	Node       string
	Version    string
	Rate       float64 // messages a second, as announced in welcome; 0: no limit
	Burst      int
	MaxRooms   int // rooms joined at once by one connection
	FrameBytes int // largest message accepted, bytes
	TextBytes  int // largest chat text, bytes

	Heartbeat        time.Duration // idle time until a ping
	HandshakeTimeout time.Duration // 0: 10 s

	Now func() int64 // Unix nanoseconds, steady
}

// Gateway is what all event loops share.
type Gateway struct {
	// Static after construction.
	cfg Config

	// Atomic.
	draining atomic.Bool
	sessions atomic.Int64
	counters Counters

	// Guarded by mu.
	mu    sync.Mutex
	conns map[netip.Addr]int // open upgraded connections by address, if limited
}

// Counters are totals since the start; read them with Load from any goroutine.
type Counters struct {
	RateLimited   atomic.Uint64 // messages refused for the user's rate
	Busy          atomic.Uint64 // messages refused by a full mailbox
	Rejected      atomic.Uint64 // frames and messages answered with any other error
	AddrLimited   atomic.Uint64 // upgrades refused for the address's rate
	AddrFull      atomic.Uint64 // upgrades refused for the address's connections
	OriginRefused atomic.Uint64
	BadHandshake  atomic.Uint64
	Draining      atomic.Uint64 // upgrades refused while draining
	Full          atomic.Uint64 // upgrades refused for the number of connections
	PlainFull     atomic.Uint64 // plain HTTP connections refused
}

// New returns a Gateway; give its Handler to netpoll.
func New(cfg Config) *Gateway {
	if cfg.HandshakeTimeout == 0 {
		cfg.HandshakeTimeout = 10 * time.Second
	}
	return &Gateway{cfg: cfg, conns: make(map[netip.Addr]int)}
}

// Counters returns the live counters.
func (g *Gateway) Counters() *Counters { return &g.counters }

// Sessions counts the upgraded connections that are still open.
func (g *Gateway) Sessions() int { return int(g.sessions.Load()) }

// Handler makes the handler of one event loop.
func (g *Gateway) Handler(loop int) netpoll.Handler {
	return &Loop{g: g, set: g.cfg.Set, dirty: make([]bool, g.cfg.Set.Shards())}
}

// Drain refuses upgrades and messages from now on and says goodbye to every
// client; they are to come back after a random time up to retry.
func (g *Gateway) Drain(e netpoll.Engine, retry time.Duration) {
	g.draining.Store(true)
	e.Each(func(c netpoll.Conn) {
		if c.Context() == nil {
			return
		}
		b := frame.Get(128)
		b.B = frame.AppendGoodbye(b.B, "restart", int(retry.Milliseconds()))
		c.Send(b)
		b.Release()
	})
}

// Hangup closes every client's connection with 1012, after its unsent bytes. Who has not yet asked to be one
// is left to be told 503.
func (g *Gateway) Hangup(e netpoll.Engine) {
	e.Each(func(c netpoll.Conn) {
		if c.Context() == nil {
			return
		}
		b := frame.Get(64)
		b.B = frame.AppendClose(b.B, frame.StatusServiceRestart, "restart")
		c.Finish(b, netpoll.ReasonRestart)
		b.Release()
	})
}

// admit takes a place for one more connection of addr; false: it has too many.
func (g *Gateway) admit(addr netip.Addr) bool {
	if g.cfg.AddrConns == 0 {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns[addr] >= g.cfg.AddrConns {
		return false
	}
	g.conns[addr]++
	return true
}

// dismiss gives back the place that admit took.
func (g *Gateway) dismiss(addr netip.Addr) {
	if g.cfg.AddrConns == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.conns[addr]--; g.conns[addr] <= 0 {
		delete(g.conns, addr)
	}
}
