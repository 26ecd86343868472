package crowd

import (
	"fmt"
	"nebula/perf/fault/verdict"
	"strings"
	"time"
)

// letter is a message of a member.
type letter struct {
	id, text string
	written  time.Time
	refused  bool      // at least once
	sentAt   time.Time // on this connection; zero: not yet
	again    time.Time // when to send it again, after a refusal; zero: an answer is due
	ackedAt  time.Time
}

const (
	repeats      = 3               // acked ids sent again on each connection
	repeatWithin = 4 * time.Minute // protocol.md section 2 says 5 minutes

	quietEvery = 100 * time.Millisecond // on average, between two messages of a sender in a quiet room
)

// write makes the next message. Its text tells its number and has any length, and
// now and then what JSON must escape.
func (m *member) write() *letter {
	n := len(m.letters)
	l := &letter{id: fmt.Sprintf("m%d-%d", m.number, n), written: time.Now()}
	l.text = fmt.Sprintf("%d of %s", n, m.name)
	switch m.chance.IntN(20) {
	case 0:
		l.text += strings.Repeat(".", m.chance.IntN(2000))
	case 1:
		l.text += " \"\\\n\t\u2028</script>é漢😀"
	}
	m.letters = append(m.letters, l)
	m.outbox = append(m.outbox, l)
	m.crowd.sent.Add(1)
	m.crowd.unacked.Add(1)
	return l
}

func (m *member) send(l *letter, now time.Time) {
	l.sentAt, l.again = now, time.Time{}
	m.conn.Say(m.room, l.id, l.text)
}

// resend begins a connection's sending: everything without an ack, in order, and
// some that have one, which must be answered the same again.
func (m *member) resend(now time.Time) {
	for _, l := range m.outbox {
		m.send(l, now)
		m.crowd.resends.Add(1)
	}
	for range min(repeats, len(m.letters)) {
		l := m.letters[m.chance.IntN(len(m.letters))]
		if _, twice := m.asked[l.id]; twice || l.ackedAt.IsZero() || now.Sub(l.ackedAt) > repeatWithin {
			continue
		}
		m.asked[l.id] = now
		m.conn.Say(m.room, l.id, l.text)
		m.crowd.repeats.Add(1)
	}
}

// flood sends refused messages again, and new ones while the window is open.
func (m *member) flood(now time.Time) {
	for _, l := range m.outbox {
		if !l.again.IsZero() && now.After(l.again) {
			m.send(l, now)
			m.crowd.resends.Add(1)
		}
	}
	m.crowd.pen.RLock()
	defer m.crowd.pen.RUnlock()
	window := m.crowd.cfg.Window
	if !m.writes || m.crowd.phase.Load() != flooding || len(m.outbox) > window/2 || now.Before(m.due) {
		return
	}
	if m.quiet {
		window = len(m.outbox) + 1
	}
	sent := 0
	for ; len(m.outbox) < window; sent++ {
		m.send(m.write(), now)
	}
	m.due = now.Add(m.wait(sent))
}

// wait is how long to wait after so many messages, on average as the rate says.
func (m *member) wait(sent int) time.Duration {
	mean := quietEvery
	if !m.quiet {
		mean = time.Duration(float64(time.Second) * float64(sent*m.crowd.cfg.Senders) / float64(m.crowd.cfg.Rate))
	}
	return time.Duration(2 * m.chance.Float64() * float64(mean))
}

// acked takes an ack.
func (m *member) acked(id string, seq, at uint64) {
	m.crowd.acked(verdict.Ack{
		Key: verdict.Key{Room: m.room, User: m.user, ID: id}, Start: m.start, Epoch: m.epoch, Seq: seq, Time: at,
	})
	for i, l := range m.outbox {
		if l.id == id {
			l.ackedAt = time.Now()
			m.outbox = append(m.outbox[:i], m.outbox[i+1:]...)
			m.crowd.unacked.Add(-1)
			m.crowd.written(m.room, l.written)
			return
		}
	}
	delete(m.asked, id)
}

// refusedLetter takes an error about a message that may be sent again.
func (m *member) refusedLetter(id string, after time.Duration) {
	m.crowd.refusals.Add(1)
	delete(m.asked, id)
	for _, l := range m.outbox {
		if l.id == id {
			l.refused, l.again = true, time.Now().Add(after)
		}
	}
}

// overdue names a question that was not answered in time.
func (m *member) overdue(now time.Time) (what string) {
	if m.epoch == "" && now.Sub(m.joinAt) > answerWithin {
		return "join"
	}
	for _, l := range m.outbox {
		if !l.sentAt.IsZero() && l.again.IsZero() && now.Sub(l.sentAt) > answerWithin {
			return "message " + l.id
		}
	}
	for id, at := range m.asked {
		if now.Sub(at) > answerWithin {
			return "repeated message " + id
		}
	}
	return ""
}
