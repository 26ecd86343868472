package shard

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"github.com/gobwas/ws"
)

// screen is an Outlet that keeps what a client would see. Any goroutine.
type screen struct {
	mu    sync.Mutex
	sends [][]byte
}

func (s *screen) Send(p Payload) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sends = append(s.sends, bytes.Clone(p.Bytes()))
	return true
}

// shown is one message of the server; protocol.md section 3.
type shown struct {
	Type, Room, Code, ID, User, Name, Text string
	Epoch                                  string
	Seq                                    uint64
	Time                                   int64
	Count, Offset                          int
	Complete, More                         bool
	RetryMS                                int `json:"retry_ms"`
	Messages                               []shown
	Users, Joined, Left                    []struct{ User, Name string }

	again bool // in one send with the one before
	bytes int
}

func (s shown) epoch() uint64 {
	n, _ := strconv.ParseUint(s.Epoch, 10, 64)
	return n
}

// take returns what came since the last take.
func (s *screen) take() (out []shown) {
	for _, send := range s.wipe() {
		r := bytes.NewReader(send)
		for again := false; r.Len() > 0; again = true {
			f, err := ws.ReadFrame(r) //nolint:staticcheck // the bytes are our own, in memory
			if err != nil {
				panic(err)
			}
			one := shown{again: again, bytes: len(f.Payload)}
			if err := json.Unmarshal(f.Payload, &one); err != nil {
				panic(fmt.Sprintf("%v in %q", err, f.Payload))
			}
			out = append(out, one)
		}
	}
	return out
}

// wipe returns what came since the last time as it came.
func (s *screen) wipe() (sends [][]byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sends, s.sends = s.sends, nil
	return sends
}

// String is how a script shows it.
func (s shown) String() string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	switch s.Type {
	case "joined":
		add("joined %s at %s:%d", s.Room, s.Epoch, s.Seq)
		add("%d here: %s", s.Count, names(s.Users))
		add("%s", numbers(s.Messages))
		if s.Complete {
			add("complete")
		}
	case "message":
		add("message %s %d %s from %s: %s", s.Room, s.Seq, s.ID, s.Name, s.Text)
	case "ack":
		add("ack %s %s %d", s.Room, s.ID, s.Seq)
	case "error":
		add("error %s", strings.TrimRight(s.Code+" "+s.ID, " "))
		if s.RetryMS > 0 {
			add("retry in %d ms", s.RetryMS)
		}
	case "presence":
		add("presence %s %d here", s.Room, s.Count)
		if len(s.Joined) > 0 {
			add("joined %s", names(s.Joined))
		}
		if len(s.Left) > 0 {
			add("left %s", names(s.Left))
		}
	case "users":
		add("users %s from %d of %d: %s", s.Room, s.Offset, s.Count, names(s.Users))
	case "history":
		add("history %s %s", s.Room, numbers(s.Messages))
		if s.More {
			add("more")
		}
	case "typing":
		add("typing %s %s", s.Room, s.Name)
	default:
		add("%s %s", s.Type, s.Room)
	}
	if s.again {
		parts[0] = "+ " + parts[0]
	}
	return strings.Join(parts, "; ")
}

// names is a list of people, the middle of a long one left out. One whose user is
// not called the same is told with both.
func names(list []struct{ User, Name string }) string {
	var out []string
	for _, u := range list {
		if u.User == u.Name {
			out = append(out, u.Name)
		} else {
			out = append(out, u.Name+"="+u.User)
		}
	}
	if n := len(out); n > 6 {
		out = []string{out[0], fmt.Sprintf("… %d …", n-2), out[n-1]}
	}
	return strings.Join(out, " ")
}

// numbers is a list of messages: the ids of a short one, else its ends.
func numbers(list []shown) string {
	n := len(list)
	if n == 0 {
		return "no messages"
	}
	if n > 6 {
		return fmt.Sprintf("%d..%d", list[0].Seq, list[n-1].Seq)
	}
	var out []string
	for _, m := range list {
		out = append(out, fmt.Sprintf("%d %s", m.Seq, m.ID))
	}
	return strings.Join(out, ", ")
}
