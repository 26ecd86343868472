package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"nebula/bus"
	"nebula/cmd/nebula/gateway"
	"nebula/frame"
	"nebula/netpoll"
	"nebula/persist"
	"nebula/shard"
	"nebula/web"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// app is a running server.
type app struct {
	// Static after construction.
	cfg       config
	log       *slog.Logger
	began     time.Time
	folder    string
	store     *persist.Store // nil with -durability none
	bus       *bus.Redis     // nil on one machine
	member    *member        // likewise
	set       *shard.Set
	engine    netpoll.Engine
	gate      *gateway.Gateway
	public    *http.Server
	admin     *http.Server // nil with -admin ""
	adminPort net.Listener
	failed    chan error    // a server that ended by itself, or a cluster that refuses this node
	renewed   chan struct{} // a copy of another node's history is there: start again
	ending    context.Context
	end       context.CancelFunc

	// Atomic.
	draining atomic.Bool
	whole    atomic.Bool                    // in a cluster: this node has the history, as far as others have one
	sockets  atomic.Pointer[netpoll.Engine] // engine, for its own loops: they run before listen has returned

	// Owned by stop.
	tasks sync.WaitGroup
}

// start brings everything up in order; on an error what was up is down again.
func start(cfg config, log *slog.Logger) (_ *app, err error) {
	a := &app{cfg: cfg, log: log, began: time.Now(), failed: make(chan error, 3), renewed: make(chan struct{}, 1)}
	a.ending, a.end = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = a.close(ctx) // the first error is the one to tell
		}
	}()
	if err := a.openStore(); err != nil {
		return nil, err
	}
	keys, err := cookieKeys(cfg, a.folder)
	if err != nil {
		return nil, err
	}
	if err := a.listenAdmin(); err != nil {
		return nil, err
	}
	if err := a.openBus(); err != nil {
		return nil, err
	}
	sessions := web.NewSessions(keys, time.Now)
	plain := gateway.NewListener()
	a.openRooms(sessions, plain)
	if err := a.listen(); err != nil {
		return nil, err
	}
	a.serve(sessions, plain, keys)
	if a.bus == nil {
		a.sayReady()
		return a, nil
	}
	a.whole.Store(!a.isNew())
	a.tasks.Go(a.awaitReady)
	a.tasks.Go(func() { a.renew(keys) })
	return a, nil
}

// sayReady says that this node takes traffic.
func (a *app) sayReady() {
	rooms, messages := 0, 0
	if a.store != nil {
		rooms, messages = a.store.Counts()
	}
	a.log.Info("ready", "addr", a.engine.Addr().String(), "node", a.cfg.node, "engine", a.cfg.engine,
		"loops", len(a.engine.Stats().Busy), "shards", a.cfg.shards, "rooms", rooms, "messages", messages,
		"took", time.Since(a.began).Round(time.Millisecond))
}

// openStore opens the database; {slot} in -data is the first folder that no
// other process holds.
func (a *app) openStore() (err error) {
	a.folder = a.cfg.data
	if a.cfg.durability == "none" {
		return os.MkdirAll(a.folder, 0o700)
	}
	for slot := 0; ; slot++ {
		a.folder = strings.ReplaceAll(a.cfg.data, "{slot}", strconv.Itoa(slot))
		a.store, err = persist.Open(context.Background(), persist.Config{
			Dir: a.folder, Durability: a.cfg.durability, Queue: a.cfg.queue, Retain: a.cfg.retain,
			Clustered: a.cfg.redis != "", Now: func() int64 { return time.Now().UnixNano() }, Log: a.log,
		})
		if !errors.Is(err, persist.ErrLocked) || a.folder == a.cfg.data {
			return err
		}
	}
}

// steadyClock returns Unix nanoseconds that start at the time of day and then
// only count: nothing that waits depends on somebody setting the clock.
func steadyClock() func() int64 {
	start := time.Now()
	return func() int64 { return start.UnixNano() + int64(time.Since(start)) }
}

// openRooms makes the shards and the gateway and lets the store talk to them.
func (a *app) openRooms(sessions *web.Sessions, plain *gateway.Listener) {
	now := steadyClock()
	shards := shard.Config{
		Shards: a.cfg.shards, Epoch: uint64(time.Now().UnixMilli()), Now: now, Wall: func() int64 { return time.Now().UnixMilli() },
		Busy:  a.busy,
		Grace: a.cfg.grace, SendBytes: a.cfg.sendBytes, KeepRooms: a.store == nil,
	}
	var journal shard.Journal
	var history shard.History
	if a.store != nil {
		shards.Epoch, shards.Epochs = a.store.Epoch(), a.store.Epochs()
		journal, history = a.store, a.store
	}
	a.set = shard.NewSet(shards, journal, history, a.joinCluster(&shards))
	if a.store != nil {
		a.store.Start(a.set.Committed, a.set.Replayed)
	}
	if a.bus != nil {
		a.member.set, a.member.now = a.set, now
		a.bus.Start()
	}
	version, _ := buildVersion()
	a.gate = gateway.New(gateway.Config{
		Set:           a.set,
		Identify:      identify(a.cfg, sessions),
		OriginAllowed: func(origin, host string) bool { return web.OriginAllowed(origin, true, host, a.cfg.origins) },
		TrustedProxy:  a.cfg.proxies.contains,
		Full:          a.full,
		UserLimit:     newLimit(a.cfg.rate, a.cfg.burst),
		AddrLimit:     newLimit(a.cfg.ipRate, a.cfg.ipBurst),
		AddrConns:     a.cfg.ipConns,
		Plain:         plain,
		Node:          a.cfg.node, Version: version,
		Rate: a.cfg.rate, Burst: a.cfg.burst, MaxRooms: a.cfg.rooms,
		FrameBytes: a.cfg.frameBytes, TextBytes: a.cfg.textBytes,
		Heartbeat: a.cfg.heartbeat, Now: now,
	})
}

func newLimit(rate float64, burst int) *shard.Limiter {
	if rate == 0 {
		return nil
	}
	return shard.NewLimiter(rate, burst)
}

// busy is the share of time that the event loops work; any goroutine.
func (a *app) busy() float64 {
	if e := a.sockets.Load(); e != nil {
		return (*e).Busy()
	}
	return 0
}

// full tells whether there are as many connections as there may be; any goroutine.
func (a *app) full() bool {
	e := a.sockets.Load()
	return e != nil && (*e).Stats().Connections > a.cfg.maxConns
}

// identify tells who a cookie belongs to, or makes a guest.
func identify(cfg config, sessions *web.Sessions) func(string, bool, string) (user, name, setCookie string) {
	when, _ := web.ParseCookieSecure(cfg.cookieSecure) // validated
	return func(cookie string, trusted bool, forwardedProto string) (string, string, string) {
		if id, ok := sessions.Read(cookie); ok {
			return id.User, id.Name, ""
		}
		id := sessions.Guest()
		return id.User, id.Name, sessions.Cookie(id, when.Secure(false, trusted, forwardedProto))
	}
}

// spareConns are taken past -max-conns, so that health checks are served and
// upgrades told 503 after their request was read: an answer before it may be lost in
// the reset that unread bytes cause.
const spareConns = 64

// fullAnswer is what a connection past even those is told.
const fullAnswer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"

// listen opens the public port on the event loops.
func (a *app) listen() (err error) {
	a.engine, err = netpoll.Listen(netpoll.Config{
		Addr: a.cfg.addr, Engine: a.cfg.engine, Loops: a.cfg.loops, MaxConns: a.cfg.maxConns + spareConns, SendBytes: a.cfg.sendBytes,
		SlowClose:  frame.AppendClose(nil, frame.StatusTryAgainLater, "read too slowly"),
		FrameEnd:   frame.EndOfFrame,
		RejectFull: []byte(fullAnswer),
		Handler:    a.gate.Handler,
	})
	if err != nil {
		return fmt.Errorf("listen on %s: %w", a.cfg.addr, err)
	}
	a.sockets.Store(&a.engine)
	return nil
}

// stop drains: see operations.md, "Signals". An error says what was cut.
func (a *app) stop(ctx context.Context) error {
	a.draining.Store(true)
	a.gate.Drain(a.engine, reconnectWithin)
	a.log.Info("draining", "at_most", a.cfg.drain) // true from here on: upgrades and messages are refused
	var cut []error
	if left := a.await(ctx, a.set.Pending); left > 0 {
		cut = append(cut, fmt.Errorf("%d accepted messages were not acked", left))
	}
	a.gate.Hangup(a.engine)
	hungUp := time.Now()
	if left := a.await(ctx, func() int {
		if time.Since(hungUp) > lingerFor && a.engine.Stats().QueuedBytes == 0 {
			return 0
		}
		return a.gate.Sessions()
	}); left > 0 {
		cut = append(cut, fmt.Errorf("%d connections were cut", left))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	return errors.Join(append(cut, a.close(ctx))...)
}

// closeWithin is the time that closing has after the clients are gone, past -drain too: the
// database is not to be cut in what it commits.
const closeWithin = 5 * time.Second

// lingerFor is the time that clients have to answer the close frame. After it nobody is waited for
// whose bytes the kernel has: it delivers them without us.
const lingerFor = time.Second

// reconnectWithin is the time over which clients spread when they come back.
const reconnectWithin = 1500 * time.Millisecond

// await polls count until it is 0 or ctx ends, and returns it.
func (a *app) await(ctx context.Context, count func() int) int {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		left := count()
		if left == 0 {
			return 0
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return left
		}
	}
}

// close ends what start began, in the opposite order.
func (a *app) close(ctx context.Context) error {
	var faults []error
	fault := func(what string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", what, err))
		}
	}
	a.end()
	if a.public != nil {
		fault("close HTTP", a.public.Close())
	}
	switch {
	case a.admin != nil:
		fault("close the admin address", a.admin.Close())
	case a.adminPort != nil:
		fault("close the admin address", a.adminPort.Close())
	}
	if a.engine != nil {
		fault("close the event loops", a.engine.Close(ctx))
	}
	a.tasks.Wait()
	if a.bus != nil {
		fault("leave the cluster", a.bus.Close(ctx))
	}
	if a.store != nil {
		fault("close the database", a.store.Close(ctx))
	}
	if a.set != nil {
		a.set.Close()
	}
	return errors.Join(faults...)
}
