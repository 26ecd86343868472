package gateway

import (
	"errors"
	"nebula/frame"
	"nebula/netpoll"
	"nebula/shard"
	"time"

	"github.com/gobwas/ws"
)

// Loop is the gateway of one event loop; it implements netpoll.Handler and runs
// on that loop's goroutine only.
type Loop struct {
	// Static after construction.
	g   *Gateway
	set *shard.Set

	// Owned by the loop goroutine.
	now   int64      // time of this batch, 0 until somebody asked
	reply *frame.Buf // answers to the frames of one read, sent together
	msg   frame.Msg
	id    [36]byte // room for an id that the server makes
	dirty []bool   // shards that were posted to in this batch
	posts []int    // the same as a list
}

// time reads the clock once a batch: a message's latency counts from here.
func (l *Loop) time() int64 {
	if l.now == 0 {
		l.now = l.g.cfg.Now()
	}
	return l.now
}

// Open gives a new connection the time in which it has to say what it wants.
func (l *Loop) Open(c netpoll.Conn) { c.SetDeadline(l.g.cfg.HandshakeTimeout) }

// Data takes what was read from c. The slice is valid until Data returns.
func (l *Loop) Data(c netpoll.Conn, in []byte) int {
	s := sessionOf(c)
	n := 0
	if s == nil {
		s, n = l.open(c, in)
		if s == nil {
			return n
		}
	}
	if s.ended {
		return len(in)
	}
	s.heard = l.time()
	for n < len(in) && !s.ended {
		used := l.frame(c, s, in[n:])
		if used == 0 {
			break
		}
		n += used
	}
	l.flush(c)
	return n
}

// frame takes one frame off in and returns its length, 0 if more is needed.
func (l *Loop) frame(c netpoll.Conn, s *session, in []byte) int {
	event, n, err := s.parser.Next(in, l.g.cfg.FrameBytes)
	if err != nil {
		l.fail(c, s, err)
		return len(in)
	}
	switch event.Kind {
	case frame.Text:
		l.message(c, s, event.Payload)
	case frame.Binary:
		l.end(c, s, ws.StatusUnsupportedData, "text messages only", netpoll.ReasonProtocol)
	case frame.Ping:
		b := l.answer()
		b.B = frame.AppendPong(b.B, event.Payload)
	case frame.Close:
		l.end(c, s, event.Code, "", netpoll.ReasonPeer)
	}
	return n
}

// answer returns the Buf that gathers the replies to this read.
func (l *Loop) answer() *frame.Buf {
	if l.reply == nil {
		l.reply = frame.Get(512)
	}
	return l.reply
}

// flush sends what was answered.
func (l *Loop) flush(c netpoll.Conn) {
	if l.reply == nil {
		return
	}
	c.Send(l.reply)
	l.reply.Release()
	l.reply = nil
}

// fail ends the connection with the close code of a broken RFC 6455 rule.
func (l *Loop) fail(c netpoll.Conn, s *session, err error) {
	l.g.counters.Rejected.Add(1)
	var broken *frame.CloseError
	if !errors.As(err, &broken) {
		broken = &frame.CloseError{Code: ws.StatusInternalServerError}
	}
	why := netpoll.ReasonProtocol
	if broken.Code == ws.StatusMessageTooBig {
		why = netpoll.ReasonTooBig
	}
	l.end(c, s, broken.Code, broken.Reason, why)
}

// end says a close frame and lets go of everything s had.
func (l *Loop) end(c netpoll.Conn, s *session, code ws.StatusCode, reason string, why netpoll.Reason) {
	b := l.answer()
	b.B = frame.AppendClose(b.B, code, reason)
	l.finish(c, why)
	l.leaveAll(s)
}

// finish sends what was answered as the last bytes of c.
func (l *Loop) finish(c netpoll.Conn, why netpoll.Reason) {
	c.Finish(l.reply, why)
	l.reply.Release()
	l.reply = nil
}

// leaveAll tells the shards that s is gone; the grace time starts. Idempotent.
func (l *Loop) leaveAll(s *session) {
	if s.ended {
		return
	}
	s.ended = true
	s.parser.Reset()
	for _, j := range s.rooms {
		if j.member.State() != shard.Out {
			l.post(j.shard, shard.Command{Kind: shard.Gone, Member: j.member})
		}
	}
	s.rooms = nil
	l.g.dismiss(s.addr)
}

// post puts cmd into a mailbox; EndBatch has it worked off. On false the caller
// keeps cmd.Body.
func (l *Loop) post(shardIndex int, cmd shard.Command) bool {
	if !l.dirty[shardIndex] {
		l.dirty[shardIndex] = true
		l.posts = append(l.posts, shardIndex)
	}
	return l.set.Post(shardIndex, cmd)
}

// Timeout pings a connection that was idle for the heartbeat, and ends one that
// stayed so for two and a half.
func (l *Loop) Timeout(c netpoll.Conn) {
	s := sessionOf(c)
	if s == nil {
		c.Close(netpoll.ReasonHandshake)
		return
	}
	if s.ended {
		return
	}
	beat := l.g.cfg.Heartbeat
	idle := time.Duration(l.time() - s.heard)
	switch {
	case idle < beat:
		c.SetDeadline(beat - idle)
		return
	case idle >= beat*5/2:
		l.end(c, s, ws.StatusGoingAway, "nothing heard", netpoll.ReasonIdle)
		return
	}
	b := frame.Get(8)
	b.B = frame.AppendPing(b.B, nil)
	c.Send(b)
	b.Release()
	if idle < 2*beat {
		c.SetDeadline(2*beat - idle)
	} else {
		c.SetDeadline(beat*5/2 - idle)
	}
}

// Closed is the last call for c.
func (l *Loop) Closed(c netpoll.Conn, _ netpoll.Reason) {
	if s := sessionOf(c); s != nil {
		l.leaveAll(s)
		l.g.sessions.Add(-1)
	}
}

// EndBatch runs the turns of the shards that this batch posted to, unless
// somebody else is running them.
func (l *Loop) EndBatch() {
	for _, i := range l.posts {
		l.dirty[i] = false
		l.set.Work(i)
	}
	l.posts = l.posts[:0]
	l.now = 0
}

var _ netpoll.Handler = (*Loop)(nil)
