package crowd

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"nebula/perf/fault/chat"
	"nebula/perf/fault/verdict"
	"time"
)

// What a member waits for, and how long.
const (
	tick         = 50 * time.Millisecond // looks at the phase at least that often
	dialWithin   = 20 * time.Second      // a stopped server accepts and does not answer
	answerWithin = 30 * time.Second      // protocol.md says 5 s; a stop of the server and a slow machine come on top
	homeless     = 60 * time.Second      // without a connection
	maxAway      = 4 * time.Second       // of one who comes and goes
)

// member is one client in one room, over all its connections. Its goroutine owns
// everything but crowd.
type member struct {
	// Static after construction.
	crowd  *Crowd
	number int
	name   string
	room   string
	writes bool
	quiet  bool // its room is: it sends now and then
	roams  bool
	chance *rand.Rand

	// Who it is, once it was connected.
	cookie string
	user   string

	// What it said and was told.
	letters []*letter // all, in the order of first sending
	outbox  []*letter // without an ack, in the same order
	due     time.Time // of the next new message
	tape    verdict.Tape
	log     log

	// This connection.
	conn   *chat.Conn
	start  int                  // of the server
	epoch  string               // "" until joined
	parted bool                 // the server said goodbye, or the member goes: nothing more is sent
	joinAt time.Time            // when it was asked
	asked  map[string]time.Time // repeats of acked ids that were not answered
	leave  time.Time            // when one who roams goes
	fill   fill
}

// run is the member's life.
func (m *member) run() {
	lost := time.Now()
	for m.crowd.phase.Load() != stopped {
		done, err := m.visit()
		switch {
		case done:
			m.crowd.went(m)
			return
		case err != nil && errors.Is(err, chat.ErrProtocol):
			m.crowd.broken("%s: %v", m.name, err)
		}
		if m.conn != nil {
			lost = time.Now()
			m.conn.Close()
			m.conn = nil
			m.crowd.went(m)
		}
		if time.Since(lost) > homeless {
			m.crowd.broken("%s: no connection for %v", m.name, homeless)
			return
		}
		m.rest(m.pause())
	}
}

// pause is how long to stay away.
func (m *member) pause() time.Duration {
	if m.roams && m.crowd.phase.Load() == flooding && m.chance.IntN(2) == 0 {
		return time.Duration(m.chance.Int64N(int64(maxAway)))
	}
	return time.Duration(5+m.chance.IntN(30)) * time.Millisecond
}

func (m *member) rest(d time.Duration) {
	for end := time.Now().Add(d); ; {
		left := time.Until(end)
		if left <= 0 || m.crowd.phase.Load() == stopped {
			return
		}
		time.Sleep(min(left, tick))
	}
}

// visit is one connection; done tells that there need not be another.
func (m *member) visit() (done bool, err error) {
	addr := m.crowd.cfg.Addr(m.number)
	if addr == "" {
		return false, nil
	}
	if err := m.connect(addr); err != nil {
		return false, err
	}
	for {
		switch {
		case m.crowd.phase.Load() == stopped, m.isSettled():
			return true, nil
		case !m.leave.IsZero() && time.Now().After(m.leave) && m.crowd.phase.Load() == flooding:
			return false, nil
		}
		if err := m.turn(); err != nil {
			return false, err
		}
	}
}

// connect dials and asks to join.
func (m *member) connect(addr string) error {
	conn, err := chat.Dial(addr, m.cookie, m.chance.Uint64(), dialWithin)
	if err != nil {
		return fmt.Errorf("%s: %w", m.name, err)
	}
	start, ok := m.crowd.cfg.StartOf(conn.Node)
	if !ok {
		conn.Close()
		return fmt.Errorf("%s: node %q is no server of ours", m.name, conn.Node)
	}
	if m.user != "" && conn.User != m.user {
		m.crowd.broken("%s: is %s, came back as %s", m.name, m.user, conn.User)
	}
	m.crowd.connects.Add(1)
	m.conn, m.start, m.cookie, m.user = conn, start, conn.Cookie, conn.User
	m.epoch, m.parted, m.fill, m.leave = "", false, fill{}, time.Time{}
	clear(m.asked)
	for _, l := range m.outbox {
		l.sentAt, l.again = time.Time{}, time.Time{}
	}
	if m.roams {
		m.leave = time.Now().Add(time.Duration(m.chance.Int64N(int64(maxAway))))
	}
	m.join()
	return nil
}

func (m *member) join() {
	m.joinAt = time.Now()
	m.conn.Join(m.room, m.log.cursor)
}

// isSettled tells whether the member has everything that there will be.
func (m *member) isSettled() bool {
	if m.crowd.phase.Load() != settling || len(m.outbox) > 0 || m.epoch == "" || m.fill.open || m.log.cursor == nil {
		return false
	}
	ends := m.crowd.ends.Load()
	return m.log.cursor.Seq >= (*ends)[m.room]
}
