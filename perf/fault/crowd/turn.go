package crowd

import (
	"errors"
	"fmt"
	"nebula/perf/fault/chat"
	"nebula/perf/fault/verdict"
	"nebula/perf/wire"
	"time"
)

const (
	pageLimit  = 200                    // protocol.md section 2
	usersLimit = 1000                   // the same
	maxRetry   = 300 * time.Millisecond // however long an error asks to wait
)

// turn sends what is to be sent and hears what came.
func (m *member) turn() error {
	now := time.Now()
	if m.epoch != "" && !m.parted {
		m.flood(now)
		if m.fill.again != 0 && now.UnixMilli() >= m.fill.again {
			m.ask(m.fill.before)
		}
	}
	if err := m.conn.Flush(); err != nil {
		return err
	}
	var e wire.Event
	for {
		err := m.conn.Read(&e, tick)
		if errors.Is(err, chat.ErrIdle) {
			if what := m.overdue(now); what != "" {
				return fmt.Errorf("%w: no answer to %s within %v", chat.ErrProtocol, what, answerWithin)
			}
			return nil
		}
		if err != nil {
			return err
		}
		if err := m.hear(&e); err != nil {
			return err
		}
		if !m.conn.Buffered() {
			return nil
		}
	}
}

// hear takes one chat message.
func (m *member) hear(e *wire.Event) error {
	switch e.Kind {
	case wire.KindMessage:
		m.live(chat.Placed(e))
	case wire.KindAck:
		m.acked(string(e.ID), e.Seq, e.Time)
	case wire.KindJoined:
		return m.joined(e)
	case wire.KindHistory:
		return m.page(e)
	case wire.KindError:
		return m.refused(e)
	case wire.KindGoodbye:
		m.parted = true
	case wire.KindPresence:
	default:
		return fmt.Errorf("%w: a message of kind %d, which nobody asked for", chat.ErrProtocol, e.Kind)
	}
	return nil
}

// live takes a message as it comes; messages in a row are one event of the tape.
func (m *member) live(p verdict.Placed) {
	m.log.put([]verdict.Placed{p})
	if m.fill.open {
		m.fill.newest.Seq = p.Seq
	} else if m.log.cursor != nil {
		m.log.cursor.Seq = p.Seq
	}
	if n := len(m.tape.Events); n > 0 {
		if last := &m.tape.Events[n-1]; last.Kind == verdict.Live && last.Start == m.start {
			last.Messages = append(last.Messages, p)
			return
		}
	}
	m.tape.Events = append(m.tape.Events, verdict.Event{
		Kind: verdict.Live, Start: m.start, Epoch: m.epoch, Messages: []verdict.Placed{p},
	})
}

// joined takes the answer to a join.
func (m *member) joined(e *wire.Event) error {
	messages, err := chat.Messages(e.Messages)
	if err != nil {
		return err
	}
	first := m.epoch == ""
	m.epoch = string(e.Epoch)
	told := verdict.Event{
		Kind: verdict.Joined, Start: m.start, Epoch: m.epoch,
		Newest: e.Seq, Complete: e.Complete, Messages: messages,
	}
	resumed := m.log.cursor != nil
	if resumed {
		cursor := *m.log.cursor
		if first {
			told.Resume = &cursor
		}
		m.log.cut(min(cursor.Seq, e.Seq))
	}
	if first {
		m.crowd.came(m)
	}
	told.Unasked = !first
	m.tape.Events = append(m.tape.Events, told)
	known := m.log.put(messages)
	m.log.begin(e.Seq + 1) // an empty room: all that comes is to be had
	newest := verdict.Cursor{Epoch: m.epoch, Seq: e.Seq}
	skip := m.fill.skip
	if m.fill.open && m.fill.again == 0 {
		skip++
	}
	if resumed && !e.Complete && !known && len(messages) > 0 && messages[0].Seq > m.log.from {
		m.fill = fill{open: true, newest: newest, skip: skip}
		m.ask(messages[0].Seq)
	} else {
		m.fill = fill{skip: skip}
		m.log.cursor = &newest
	}
	if first && !m.parted {
		m.resend(time.Now())
	}
	return nil
}

// ask asks for the page of history before a seq.
func (m *member) ask(before uint64) {
	m.fill.before, m.fill.again = before, 0
	m.conn.History(m.room, before, pageLimit)
}

// page takes a page of history and asks for the one before it, until the gap is closed.
func (m *member) page(e *wire.Event) error {
	messages, err := chat.Messages(e.Messages)
	if err != nil {
		return err
	}
	if m.fill.skip > 0 {
		m.fill.skip--
		return nil
	}
	if !m.fill.open {
		return fmt.Errorf("%w: a page of history that nobody asked for", chat.ErrProtocol)
	}
	m.tape.Events = append(m.tape.Events, verdict.Event{
		Kind: verdict.Page, Start: m.start, Epoch: m.epoch, Before: m.fill.before, More: e.More, Messages: messages,
	})
	if m.log.put(messages) || !e.More || len(messages) == 0 || messages[0].Seq <= m.log.from {
		m.log.cursor = &verdict.Cursor{Epoch: m.fill.newest.Epoch, Seq: m.fill.newest.Seq}
		m.fill = fill{skip: m.fill.skip}
		return nil
	}
	m.ask(messages[0].Seq)
	return nil
}

// refused takes an error.
func (m *member) refused(e *wire.Event) error {
	after := min(time.Duration(e.RetryMS)*time.Millisecond, maxRetry)
	switch string(e.Code) {
	case "busy", "unavailable", "internal", "rate_limited":
	default:
		return fmt.Errorf("%w: error %s about %q", chat.ErrProtocol, e.Code, e.ID)
	}
	switch {
	case len(e.ID) > 0:
		m.refusedLetter(string(e.ID), after)
	case m.epoch == "":
		return fmt.Errorf("%s: the join was refused: %s", m.name, e.Code) // it comes back and asks again
	case m.fill.skip > 0:
		m.fill.skip--
	case m.fill.open:
		m.fill.again = time.Now().Add(after).UnixMilli()
	}
	return nil
}
