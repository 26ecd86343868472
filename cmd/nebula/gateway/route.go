package gateway

import (
	"encoding/hex"
	"nebula/frame"
	"nebula/netpoll"
	"nebula/shard"
	"time"

	"github.com/gobwas/ws"
	"github.com/google/uuid"
)

// Rate abuse, protocol.md section 3: a connection that goes on after this many
// rate_limited errors within the window is closed with 1008.
const (
	abuseErrors = 20
	abuseWindow = 10 * time.Second
)

// busyRetry is what a client is told to wait when a queue was full.
const busyRetry = 250 * time.Millisecond

// unavailableRetry is what a client is told to wait when the node drains.
const unavailableRetry = time.Second

// message decodes one chat message and sends it on its way.
func (l *Loop) message(c netpoll.Conn, s *session, payload []byte) {
	m := &l.msg
	if code := frame.Decode(m, payload, l.g.cfg.TextBytes); code != frame.CodeOK {
		l.refuse(m, code, 0)
		return
	}
	switch m.Type {
	case frame.TypePing:
		b := l.answer()
		b.B = frame.AppendPongT(b.B, m.T)
		return
	case frame.TypeJoin:
		l.join(s, m)
		return
	}
	i := s.find(m.Room)
	if i < 0 {
		room, ok := frame.RoomName(m.Room)
		if !ok {
			l.refuse(m, frame.CodeBadRoom, 0)
			return
		}
		if i = s.find([]byte(room)); i < 0 {
			l.refuse(m, frame.CodeNotJoined, 0)
			return
		}
	}
	j := s.rooms[i]
	switch m.Type {
	case frame.TypeLeave:
		s.remove(i)
		l.post(j.shard, shard.Command{Kind: shard.Leave, Member: j.member})
	case frame.TypeMessage:
		l.say(c, s, j, m)
	case frame.TypeHistory:
		l.ask(j, m, shard.Command{Kind: shard.Page, Member: j.member, Before: m.Before, Limit: m.Limit})
	case frame.TypePresence:
		l.ask(j, m, shard.Command{Kind: shard.Users, Member: j.member, Offset: m.Offset, Limit: m.Limit})
	case frame.TypeTyping:
		l.post(j.shard, shard.Command{Kind: shard.Typing, Member: j.member})
	}
}

// join posts a Join for a new member of the room, or again for the one that
// this connection already has.
func (l *Loop) join(s *session, m *frame.Msg) {
	room, ok := frame.RoomName(m.Room)
	if !ok {
		l.refuse(m, frame.CodeBadRoom, 0)
		return
	}
	cmd := shard.Command{Kind: shard.Join, HasPos: m.HasEpoch, After: m.After}
	if m.HasEpoch {
		cmd.Epoch = frame.ParseEpoch(m.Epoch)
	}
	if i := s.find([]byte(room)); i >= 0 {
		j := s.rooms[i]
		if j.member.State() == shard.Pending {
			l.refuse(m, frame.CodeBusy, busyRetry)
			return
		}
		cmd.Member = j.member
		l.post(j.shard, cmd)
		return
	}
	if len(s.rooms) >= l.g.cfg.MaxRooms {
		l.refuse(m, frame.CodeTooManyRooms, 0)
		return
	}
	cmd.Member = shard.NewMember(&s.client, room)
	j := joined{member: cmd.Member, shard: l.set.Of(room)}
	s.rooms = append(s.rooms, j)
	l.post(j.shard, cmd)
}

// say encodes the message once and posts it to its room.
func (l *Loop) say(c netpoll.Conn, s *session, j joined, m *frame.Msg) {
	if l.g.draining.Load() {
		l.refuse(m, frame.CodeUnavailable, unavailableRetry)
		return
	}
	if limit := l.g.cfg.UserLimit; limit != nil {
		if wait := limit.Take(s.client.User, l.time()); wait > 0 {
			l.limited(c, s, m, wait)
			return
		}
	}
	if len(m.ID) == 0 {
		m.ID = l.newID()
	}
	body := frame.EncodeMessage(j.member.Room(), m.ID, s.client.User, s.client.Name, m.Text)
	cmd := shard.Command{
		Kind:   shard.Say,
		Member: j.member,
		Body:   body,
		Hash:   frame.Hash(s.client.User, m.ID),
		Read:   l.time(),
	}
	if !l.post(j.shard, cmd) {
		body.Release()
		l.g.counters.Busy.Add(1)
		l.refuse(m, frame.CodeBusy, busyRetry)
	}
}

// ask posts a question that a full mailbox may refuse.
func (l *Loop) ask(j joined, m *frame.Msg, cmd shard.Command) {
	if !l.post(j.shard, cmd) {
		l.refuse(m, frame.CodeBusy, busyRetry)
	}
}

// limited answers rate_limited and ends a connection that does not listen.
func (l *Loop) limited(c netpoll.Conn, s *session, m *frame.Msg, wait time.Duration) {
	now := l.time()
	if now-s.since > int64(abuseWindow) {
		s.since, s.limited = now, 0
	}
	if s.limited >= abuseErrors {
		l.end(c, s, ws.StatusPolicyViolation, "rate abuse", netpoll.ReasonPolicy)
		return
	}
	s.limited++
	l.g.counters.RateLimited.Add(1)
	l.error(m, frame.CodeRateLimited, wait)
}

// refuse answers with an error and counts it.
func (l *Loop) refuse(m *frame.Msg, code frame.Code, retry time.Duration) {
	if code != frame.CodeBusy {
		l.g.counters.Rejected.Add(1)
	}
	l.error(m, code, retry)
}

// error answers with an error; it names the room and the id that came along.
func (l *Loop) error(m *frame.Msg, code frame.Code, retry time.Duration) {
	var room string
	if name, ok := frame.RoomName(m.Room); ok {
		room = name
	}
	id := m.ID
	if !frame.ValidID(id) {
		id = nil
	}
	b := l.answer()
	b.B = frame.AppendError(b.B, code, room, id, int(retry.Milliseconds()), "")
}

// newID makes an id for a message that came without one. The slice is valid
// until the next call.
func (l *Loop) newID() []byte {
	u, err := uuid.NewV7()
	if err != nil {
		panic(err) // crypto/rand does not fail on Linux (getrandom(2))
	}
	hex.Encode(l.id[0:8], u[0:4])
	hex.Encode(l.id[9:13], u[4:6])
	hex.Encode(l.id[14:18], u[6:8])
	hex.Encode(l.id[19:23], u[8:10])
	hex.Encode(l.id[24:36], u[10:16])
	l.id[8], l.id[13], l.id[18], l.id[23] = '-', '-', '-', '-'
	return l.id[:]
}
