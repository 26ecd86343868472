package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"nebula/perf/fault/verdict"
	"nebula/perf/wire"
	"slices"
)

// say is a message to a room, as protocol.md section 2 has it.
type say struct {
	Type string `json:"type"`
	Room string `json:"room"`
	ID   string `json:"id"`
	Text string `json:"text"`
}

// Say queues a message.
func (c *Conn) Say(room, id, text string) {
	b, err := json.Marshal(say{"message", room, id, text})
	if err != nil {
		panic(fmt.Sprintf("chat: four strings are no JSON: %v", err))
	}
	c.Queue(b)
}

// Join queues a join, with a cursor where there is one.
func (c *Conn) Join(room string, cursor *verdict.Cursor) {
	if cursor == nil {
		cursor = &verdict.Cursor{}
	}
	c.Queue(wire.AppendJoin(nil, room, cursor.Epoch, cursor.Seq))
}

// Leave queues a leave.
func (c *Conn) Leave(room string) {
	b, err := json.Marshal(struct {
		Type string `json:"type"`
		Room string `json:"room"`
	}{"leave", room})
	if err != nil {
		panic(fmt.Sprintf("chat: two strings are no JSON: %v", err))
	}
	c.Queue(b)
}

// History queues a question for the page of at most limit messages before a seq; 0: the newest.
func (c *Conn) History(room string, before uint64, limit int) {
	c.Queue(wire.AppendHistory(nil, room, before, limit))
}

// Users queues a question for the first users of a room, at most limit.
func (c *Conn) Users(room string, limit int) {
	b, err := json.Marshal(struct {
		Type  string `json:"type"`
		Room  string `json:"room"`
		Limit int    `json:"limit"`
	}{"presence", room, limit})
	if err != nil {
		panic(fmt.Sprintf("chat: two strings and a number are no JSON: %v", err))
	}
	c.Queue(b)
}

// Users returns the user ids of a list of users in an answer.
func Users(list []byte) ([]string, error) {
	var all []struct{ User, Name string }
	if err := json.Unmarshal(list, &all); err != nil {
		return nil, fmt.Errorf("%w: a list of users: %.100q: %w", ErrProtocol, list, err)
	}
	ids := make([]string, len(all))
	for i := range all {
		ids[i] = all[i].User
	}
	return ids, nil
}

// Messages returns what a list of messages in an answer holds.
func Messages(list []byte) ([]verdict.Placed, error) {
	var all []verdict.Placed
	var failed error // of an entry
	whole := wire.Items(list, func(value []byte) bool {
		var e wire.Event
		if failed = e.Decode(value); failed != nil {
			return false
		}
		all = append(all, Placed(&e))
		return true
	})
	if failed != nil || !whole {
		return nil, fmt.Errorf("%w: a list of messages: %.100q", ErrProtocol, list)
	}
	return all, nil
}

// Placed is what a message event says.
func Placed(e *wire.Event) verdict.Placed {
	return verdict.Placed{Seq: e.Seq, Said: verdict.Say(verdict.Message{
		User: string(e.User), ID: string(e.ID), Text: plain(e.Text), Time: e.Time,
	})}
}

// plain undoes the escapes of the inside of a JSON string.
func plain(raw []byte) string {
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw)
	}
	var s string
	if err := json.Unmarshal(slices.Concat([]byte{'"'}, raw, []byte{'"'}), &s); err != nil {
		return string(raw) // Read looked at the whole: this is a text that cannot be what was sent
	}
	return s
}
