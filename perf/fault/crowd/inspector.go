package crowd

import (
	"errors"
	"fmt"
	"nebula/perf/fault/chat"
	"nebula/perf/fault/verdict"
	"nebula/perf/wire"
	"slices"
	"time"
)

// Inspector asks a server what it has. It belongs to one goroutine.
type Inspector struct {
	User  string // it is in the rooms that it has joined
	crowd *Crowd
	rooms map[string]bool // that it asked to join
	conn  *chat.Conn
	start int
}

// Inspect connects to a server.
func (c *Crowd) Inspect(addr string) (*Inspector, error) {
	conn, err := chat.Dial(addr, "", uint64(c.connects.Load()), dialWithin)
	if err != nil {
		return nil, err
	}
	start, ok := c.cfg.StartOf(conn.Node)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("crowd: node %q is no server of ours", conn.Node)
	}
	return &Inspector{User: conn.User, crowd: c, rooms: make(map[string]bool), conn: conn, start: start}, nil
}

// Close leaves.
func (i *Inspector) Close() {
	i.conn.Close()
	for room := range i.rooms {
		i.crowd.visited(room, i.User)
	}
}

// Leave leaves a room, if there is still anybody to be told.
func (i *Inspector) Leave(room string) {
	i.conn.Leave(room)
	_ = i.conn.Flush() // else it has left all the more
}

// Join joins a room, again if need be, with a cursor where there is one.
func (i *Inspector) Join(room string, cursor *verdict.Cursor) (*verdict.Event, error) {
	i.rooms[room] = true
	e, err := i.ask(room, wire.KindJoined, func() { i.conn.Join(room, cursor) })
	if err != nil {
		return nil, err
	}
	messages, err := chat.Messages(e.Messages)
	return &verdict.Event{
		Kind: verdict.Joined, Start: i.start, Epoch: string(e.Epoch), Resume: cursor,
		Newest: e.Seq, Complete: e.Complete, Messages: messages,
	}, err
}

// Page asks for at most limit messages of a joined room, before a seq.
func (i *Inspector) Page(room string, before uint64, limit int) (all []verdict.Placed, more bool, err error) {
	e, err := i.ask(room, wire.KindHistory, func() { i.conn.History(room, before, limit) })
	if err != nil {
		return nil, false, err
	}
	all, err = chat.Messages(e.Messages)
	return all, e.More, err
}

// History reads up to a number of pages, from the newest back; it is oldest first.
func (i *Inspector) History(room string, pages int) ([]verdict.Placed, error) {
	var all [][]verdict.Placed
	before := uint64(0)
	for range pages {
		page, more, err := i.Page(room, before, pageLimit)
		if err != nil {
			return nil, err
		}
		if len(page) > 0 {
			all = append(all, page)
			before = page[0].Seq
		}
		if !more || len(page) == 0 {
			break
		}
	}
	slices.Reverse(all)
	return slices.Concat(all...), nil
}

// Users asks who is in a joined room; more than a page holds are not told.
func (i *Inspector) Users(room string) ([]string, error) {
	e, err := i.ask(room, wire.KindUsers, func() { i.conn.Users(room, usersLimit) })
	if err != nil {
		return nil, err
	}
	users, err := chat.Users(e.Users)
	if err == nil && uint64(len(users)) != e.Count && len(users) < usersLimit {
		return nil, fmt.Errorf("%w: %d users of %d in %s", chat.ErrProtocol, len(users), e.Count, room)
	}
	return users, err
}

// ask sends a question, again if it was refused for now, and waits for its answer.
func (i *Inspector) ask(room string, kind wire.Kind, question func()) (*wire.Event, error) {
	deadline := time.Now().Add(answerWithin)
	question()
	for {
		if err := i.conn.Flush(); err != nil {
			return nil, err
		}
		var e wire.Event
		err := i.conn.Read(&e, time.Until(deadline))
		if errors.Is(err, chat.ErrIdle) {
			return nil, fmt.Errorf("%w: no answer about %s within %v", chat.ErrProtocol, room, answerWithin)
		}
		if err != nil {
			return nil, err
		}
		switch {
		case e.Kind == kind && string(e.Room) == room:
			return &e, nil
		case e.Kind == wire.KindError && (string(e.Code) == "busy" || string(e.Code) == "unavailable"):
			time.Sleep(min(time.Duration(e.RetryMS)*time.Millisecond, maxRetry))
			question()
		case e.Kind == wire.KindError:
			return nil, fmt.Errorf("%w: error %s about %s", chat.ErrProtocol, e.Code, room)
		}
	}
}
