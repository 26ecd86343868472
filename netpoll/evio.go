//go:build unix

package netpoll

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/tidwall/evio"
)

const (
	// evioSweep is how long evio may keep output before it is asked whether it still has it: it does
	// not tell.
	evioSweep = 5 * time.Millisecond
	// evioPause is the time until evio is started again after it ended by itself.
	evioPause = 100 * time.Millisecond
	// evioSettle is more than evio needs to listen for the end of its loops: it misses one that ends
	// before, and would wait for ever.
	evioSettle = 10 * time.Millisecond
)

// evioEngine is Engine over github.com/tidwall/evio v1.0.8.
type evioEngine struct {
	// Static after construction.
	cfg   Config
	addr  net.Addr
	loops []*evioLoop
	cpu   *cpuMeter
	ended chan struct{} // closed when evio and the joints have ended
	quit  chan struct{} // closed by Close

	joints  sync.WaitGroup
	adopted sync.Map // netip.AddrPort of our end of a joint: that of the peer behind it

	// Guarded by mu.
	mu      sync.Mutex
	stopped bool
	conns   map[*evioConn]struct{}
	waiting map[*evioConn]struct{} // evio has output of theirs; a sweep is due while there are any

	// Atomic.
	places        atomic.Int64
	queued        atomic.Int64
	accepted      atomic.Uint64
	rejectedFull  atomic.Uint64
	rejectedFiles atomic.Uint64
	slow          atomic.Uint64
	bytesIn       atomic.Uint64
	bytesOut      atomic.Uint64
	writes        atomic.Uint64
	closed        [NumReasons]atomic.Uint64
}

// evioLoop is what belongs to one loop goroutine of evio's.
type evioLoop struct {
	handler Handler
	out     []byte // what is handed to evio, which copies it
}

func listenEvio(cfg Config) (Engine, error) {
	e := &evioEngine{
		cfg: cfg, cpu: newCPUMeter(), ended: make(chan struct{}), quit: make(chan struct{}),
		conns: make(map[*evioConn]struct{}), waiting: make(map[*evioConn]struct{}),
	}
	if err := e.limitConns(); err != nil {
		return nil, err
	}
	for i := range cfg.Loops {
		e.loops = append(e.loops, &evioLoop{handler: cfg.Handler(i)})
	}
	serving, failed := make(chan net.Addr, 1), make(chan error, 1)
	go e.run(serving, failed)
	select {
	case e.addr = <-serving:
		return e, nil
	case err := <-failed:
		return nil, err
	}
}

// limitConns keeps MaxConns so far below the limit of open files that evio does not meet it: it
// ends all its connections if it cannot accept one.
func (e *evioEngine) limitConns() error {
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return fmt.Errorf("netpoll: limit of open files: %w", err)
	}
	limit := int(min(files.Cur, 1<<30))
	e.cfg.MaxConns = min(e.cfg.MaxConns, max(limit-min(limit/2, 128), 1))
	return nil
}

// run serves until Close, and starts evio again on the same port if it ends before.
func (e *evioEngine) run(serving chan<- net.Addr, failed chan<- error) {
	defer close(e.ended)
	defer e.joints.Wait()
	addr, first := e.cfg.Addr, true
	for {
		err := evio.Serve(evio.Events{
			NumLoops: e.cfg.Loops,
			Serving: func(s evio.Server) evio.Action {
				if first {
					first, addr = false, s.Addrs[0].String()
					serving <- s.Addrs[0]
				}
				return evio.None
			},
			Opened: e.opened, Data: e.data, Closed: e.lost, Detached: e.detached,
		}, "tcp://"+addr)
		if first {
			failed <- err
			return
		}
		select {
		case <-e.quit:
			return
		case <-time.After(evioPause): // it could not accept; all its connections are gone
			e.rejectedFiles.Add(1)
		}
	}
}

func (e *evioEngine) stopping() bool {
	select {
	case <-e.quit:
		return true
	default:
		return false
	}
}

func (e *evioEngine) opened(ec evio.Conn) ([]byte, evio.Options, evio.Action) {
	options := evio.Options{ReuseInputBuffer: true}
	if e.stopping() { // Close has dialed it, to be heard
		time.Sleep(evioSettle)
		return nil, options, evio.Shutdown
	}
	inside := reflect.ValueOf(ec).Elem()
	fd := int(inside.FieldByName("fd").Int())
	_ = syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // for latency only
	if e.places.Add(1) > int64(e.cfg.MaxConns) {
		e.leave()
		e.rejectedFull.Add(1)
		e.reject(fd)
		return nil, options, evio.Close
	}
	e.accepted.Add(1)
	remote, _ := netip.ParseAddrPort(ec.RemoteAddr().String()) // a TCP address
	c := &evioConn{
		e: e, ec: ec, fd: fd, pending: inside.FieldByName("out"), out: queue{total: &e.queued},
		loop:   e.loops[inside.FieldByName("loop").Elem().FieldByName("idx").Int()],
		remote: netip.AddrPortFrom(remote.Addr().Unmap().WithZone(""), remote.Port()),
	}
	ec.SetContext(c)
	e.mu.Lock()
	e.conns[c] = struct{}{}
	e.mu.Unlock()
	out, action := c.turn(func() { c.loop.handler.Open(c) })
	return out, options, action
}

// reject says RejectFull and reads what the client has said: unread, it would turn the close into a
// reset, which overtakes the answer.
func (e *evioEngine) reject(fd int) {
	_, _ = syscall.Write(fd, e.cfg.RejectFull) // a fresh socket has room
	_ = syscall.Shutdown(fd, syscall.SHUT_WR)
	_, _ = syscall.Read(fd, make([]byte, 4<<10))
}

func (e *evioEngine) data(ec evio.Conn, in []byte) ([]byte, evio.Action) {
	c, ok := ec.Context().(*evioConn)
	if !ok {
		return nil, evio.Close
	}
	e.bytesIn.Add(uint64(len(in)))
	return c.turn(func() { c.offer(in) })
}

// lost is called when evio has closed a connection.
func (e *evioEngine) lost(ec evio.Conn, err error) evio.Action {
	c, ok := ec.Context().(*evioConn)
	if !ok {
		return evio.None
	}
	why := ReasonPeer
	switch {
	case err != nil:
		why = ReasonReset
	case e.stopping():
		why = ReasonShutdown
	}
	c.ended(why)
	return evio.None
}

// forget takes c out of the books.
func (e *evioEngine) forget(c *evioConn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.conns, c)
	delete(e.waiting, c)
}

// sweepLater has c take a turn soon, to see what evio has sent of its output.
func (e *evioEngine) sweepLater(c *evioConn) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.waiting) == 0 {
		time.AfterFunc(evioSweep, e.sweep)
	}
	e.waiting[c] = struct{}{}
}

func (e *evioEngine) sweep() {
	e.mu.Lock()
	due := e.waiting
	e.waiting = make(map[*evioConn]struct{})
	e.mu.Unlock()
	for c := range due {
		c.post(nil)
	}
}

// leave gives back a place in MaxConns.
func (e *evioEngine) leave() { e.places.Add(-1) }

func (e *evioEngine) Addr() net.Addr { return e.addr }

func (e *evioEngine) Busy() float64 { return e.cpu.busy() }

func (e *evioEngine) Each(fn func(Conn)) {
	e.mu.Lock()
	all := make([]*evioConn, 0, len(e.conns))
	for c := range e.conns {
		all = append(all, c)
	}
	e.mu.Unlock()
	for _, c := range all {
		c.post(func() {
			c.mu.Lock()
			has := c.state < evioDetached
			c.mu.Unlock()
			if has {
				fn(c)
			}
		})
	}
}

func (e *evioEngine) Stats() Stats {
	s := Stats{
		Connections: int(e.places.Load()), Accepted: e.accepted.Load(), RejectedFull: e.rejectedFull.Load(),
		RejectedFiles: e.rejectedFiles.Load(), QueuedBytes: e.queued.Load(), SlowConsumers: e.slow.Load(),
		BytesIn: e.bytesIn.Load(), BytesOut: e.bytesOut.Load(), Writes: e.writes.Load(),
	}
	for i := range e.closed {
		s.Closed[i] = e.closed[i].Load()
	}
	for range e.loops {
		s.Busy = append(s.Busy, e.Busy())
	}
	return s
}

// Close ends evio by a connection of its own: only the event of one can ask for it.
func (e *evioEngine) Close(ctx context.Context) error {
	e.mu.Lock()
	if !e.stopped {
		e.stopped = true
		close(e.quit)
	}
	e.mu.Unlock()
	for {
		if nc, err := dialSelf(e.addr); err == nil {
			defer func() { _ = nc.Close() }()
		}
		select {
		case <-e.ended:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("netpoll: loops still busy: %w", ctx.Err())
		case <-time.After(evioPause): // it was not accepted, or evio was being started again
		}
	}
}
