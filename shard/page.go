package shard

import "nebula/frame"

// question is one to History about older messages. Its answer may come after the
// member was told that there is none, or never.
type question struct {
	member *Member
	at     int64 // Unix ns when it was asked
	open   bool  // not answered yet
}

// page answers history from the tail if that has any of it, else with History's
// help: what is older comes with the client's next question.
func (s *Shard) page(m *Member, before uint64, limit int) {
	r := m.room
	page, more := r.tail.page(r.tail.below(before), limit, s.answerBytes())
	if len(page) > 0 || !r.tail.more {
		answerPage(m, page, more)
		return
	}
	if before == 0 {
		before = r.last.Seq + 1
	}
	q := &question{member: m, at: s.now, open: true}
	if m.question != nil || !s.history.Replay(Request{
		Kind: Older, Shard: s.index, Room: r.name, Before: before, Limit: limit, MaxBytes: s.answerBytes(), Token: q,
	}) {
		answerError(m, nil, frame.CodeBusy, busyRetry)
		return
	}
	m.question = q
	s.questions = append(s.questions, q)
}

func answerPage(m *Member, page []*frame.Buf, more bool) {
	b := frame.Get(payloadBytes(page) + envelopeBytes)
	b.B = frame.AppendHistory(b.B, m.name, page, more)
	send(m.client, b)
}

// close ends the question; false: it was ended before.
func (q *question) close() bool {
	if q == nil || !q.open {
		return false
	}
	q.open = false
	q.member.question = nil
	return true
}

// replayPage takes History's answer to a question.
func (s *Shard) replayPage(a *Answer) {
	if q, _ := a.Token.(*question); q.close() {
		if a.Err != nil {
			answerError(q.member, nil, frame.CodeInternal, busyRetry)
		} else {
			answerPage(q.member, a.Messages, a.More)
		}
	}
	a.release()
}

// tendQuestions tells those whom History leaves waiting for too long, and returns
// when the next one is due.
func (s *Shard) tendQuestions() int64 {
	n := 0
	for ; n < len(s.questions); n++ {
		q := s.questions[n]
		if q.open && q.at+int64(pagePatience) > s.now {
			break
		}
		if q.close() {
			answerError(q.member, nil, frame.CodeUnavailable, busyRetry)
		}
	}
	if s.questions = drop(s.questions, n); s.questions == nil {
		return never
	}
	return s.questions[0].at + int64(pagePatience)
}

// drop takes the first n off a queue. It copies nothing: append does, now and then,
// when there is no room behind. An empty queue is nil: what a storm left behind is
// not kept.
func drop[T any](queue []T, n int) []T {
	if n == len(queue) {
		return nil
	}
	clear(queue[:n])
	return queue[n:]
}

// users answers presence.
func (s *Shard) users(m *Member, offset, limit int) {
	p := &m.room.people
	page := p.list(offset, limit, s.answerBytes())
	b := frame.Get(usersBytes(page) + envelopeBytes)
	b.B = frame.AppendUsers(b.B, m.name, offset, len(p.sorted), page)
	send(m.client, b)
}
