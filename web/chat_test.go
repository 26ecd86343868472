package web

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// chat is a small server of the protocol for the page's tests: the states that
// a real server cannot be forced into. cmd/nebula tests the page with the real one.
type chat struct {
	url      string
	sessions *Sessions
	serving  sync.WaitGroup

	mu     sync.Mutex
	down   bool             // upgrades are refused
	mute   bool             // messages are neither taken nor answered
	refuse map[string]event // errors for the next messages, joins and so on, by type
	epoch  int
	people map[string]Identity // by name
	rooms  map[string][]event
	taken  map[string]event // messages by room, user and id
	conns  map[*chatConn]bool
	limits event
	held   map[string][]func() // what waits for the end of hold, by type
}

// event is a message to a client.
type event = map[string]any

// said is a message of a client.
type said struct {
	Type, Room, ID, Text, Epoch string
	Before, After, Limit        int
	T                           any
}

type chatConn struct {
	nc  net.Conn
	who Identity
	out chan event
	in  map[string]bool
}

func newChat(t *testing.T) *chat {
	t.Helper()
	c := &chat{
		sessions: NewSessions([][]byte{keyA}, time.Now), epoch: 1, refuse: map[string]event{}, held: map[string][]func(){}, people: map[string]Identity{},
		rooms: map[string][]event{}, taken: map[string]event{}, conns: map[*chatConn]bool{},
		limits: event{"text_bytes": 4096, "frame_bytes": 32768, "rooms": 100, "rate": 0, "burst": 0},
	}
	srv := httptest.NewServer(Public(PublicConfig{Sessions: c.sessions, Upgrade: http.HandlerFunc(c.upgrade)}))
	c.url = srv.URL
	t.Cleanup(func() {
		c.fall()
		srv.Close()
		c.serving.Wait()
	})
	return c
}

// do runs fn with the server's state.
func (c *chat) do(fn func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fn()
}

// person is the identity of somebody of that name, always the same.
func (c *chat) person(name string) (id Identity) {
	c.do(func() { id = c.personLocked(name) })
	return id
}

func (c *chat) personLocked(name string) Identity {
	if _, known := c.people[name]; !known {
		id := c.sessions.Guest()
		id.Name = name
		c.people[name] = id
	}
	return c.people[name]
}

// post makes somebody who has no tab say something, at a time.
func (c *chat) post(room, name, text string, at time.Time) {
	c.do(func() {
		id := fmt.Sprintf("p-%s-%d", room, len(c.rooms[room]))
		c.broadcast(room, c.store(said{Room: room, ID: id, Text: text}, c.personLocked(name), at))
	})
}

// fall cuts all connections and takes none until rise.
func (c *chat) fall() {
	c.do(func() {
		c.down = true
		for conn := range c.conns {
			_ = conn.nc.Close()
		}
	})
}

// hold lets messages of a type wait until the function that it returns is called.
func (c *chat) hold(kind string) (answer func()) {
	c.do(func() { c.held[kind] = []func(){} })
	return func() {
		c.do(func() {
			waiting := c.held[kind]
			delete(c.held, kind)
			for _, handle := range waiting {
				handle()
			}
		})
	}
}

// rise takes connections again, in a new epoch.
func (c *chat) rise() {
	c.do(func() {
		c.down = false
		c.epoch++
	})
}

func (c *chat) upgrade(w http.ResponseWriter, r *http.Request) {
	who, ok := c.sessions.Read(r.Header.Get("Cookie"))
	header := http.Header{}
	if !ok {
		who = c.sessions.Guest()
		header.Set("Set-Cookie", c.sessions.Cookie(who, false))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	u := ws.HTTPUpgrader{Protocol: func(p string) bool { return p == "nebula.v1.json" }, Header: header}
	nc, _, _, err := u.Upgrade(r, w)
	if err != nil {
		return
	}
	conn := &chatConn{nc: nc, who: who, out: make(chan event, 4096), in: map[string]bool{}}
	c.conns[conn] = true
	conn.out <- event{
		"type": "welcome", "user": who.User, "name": who.Name, "node": "fake", "version": "test",
		"heartbeat_ms": 25000, "limits": c.limits,
	}
	c.serving.Go(conn.write)
	c.serving.Go(func() { c.read(conn) })
}

// write ends when read closes out.
func (conn *chatConn) write() {
	for e := range conn.out {
		b, err := json.Marshal(e)
		if err != nil {
			panic(err) // strings and numbers
		}
		_ = wsutil.WriteServerText(conn.nc, b) // a failed write is read's to notice
	}
}

func (c *chat) read(conn *chatConn) {
	for {
		b, err := wsutil.ReadClientText(conn.nc)
		if err != nil {
			break
		}
		var m said
		if json.Unmarshal(b, &m) == nil {
			c.do(func() { c.handle(conn, m) })
		}
	}
	_ = conn.nc.Close()
	c.do(func() {
		delete(c.conns, conn)
		for room := range conn.in {
			c.leave(conn, room)
		}
		close(conn.out)
	})
}

// The methods below need mu held.

func (c *chat) handle(conn *chatConn, m said) {
	if _, holding := c.held[m.Type]; holding {
		c.held[m.Type] = append(c.held[m.Type], func() {
			if c.conns[conn] {
				c.handle(conn, m)
			}
		})
		return
	}
	if fault, ok := c.refuse[m.Type]; ok {
		delete(c.refuse, m.Type)
		answer := event{"type": "error", "room": m.Room, "message": "Refused by the test."}
		if m.ID != "" {
			answer["id"] = m.ID
		}
		maps.Copy(answer, fault)
		conn.out <- answer
		return
	}
	switch m.Type {
	case "join":
		c.join(conn, m)
	case "leave":
		c.leave(conn, m.Room)
		conn.out <- event{"type": "left", "room": m.Room}
	case "message":
		c.message(conn, m)
	case "history":
		all := c.rooms[m.Room]
		end := len(all)
		if m.Before > 0 {
			end = min(end, m.Before-1)
		}
		start := max(0, end-cmp.Or(m.Limit, 50))
		conn.out <- event{"type": "history", "room": m.Room, "messages": all[start:end], "more": start > 0}
	case "presence":
		users := c.users(m.Room)
		conn.out <- event{"type": "users", "room": m.Room, "offset": 0, "count": len(users), "users": users}
	case "typing":
		c.broadcast(m.Room, event{"type": "typing", "room": m.Room, "user": conn.who.User, "name": conn.who.Name})
	case "ping":
		conn.out <- event{"type": "pong", "t": m.T}
	}
}

func (c *chat) join(conn *chatConn, m said) {
	all := c.rooms[m.Room]
	start := max(0, len(all)-50)
	complete := start == 0
	if m.Epoch != "" {
		complete = m.After <= len(all) && len(all)-m.After <= 200
		if complete {
			start = m.After
		}
	}
	conn.in[m.Room] = true
	c.broadcast(m.Room, c.presence(m.Room, "joined", conn.who))
	users := c.users(m.Room)
	conn.out <- event{
		"type": "joined", "room": m.Room, "epoch": fmt.Sprint(c.epoch), "seq": len(all), "users": users, "count": len(users),
		"messages": append([]event{}, all[start:]...), "complete": complete,
	}
}

func (c *chat) leave(conn *chatConn, room string) {
	delete(conn.in, room)
	for other := range c.conns {
		if other.in[room] && other.who.User == conn.who.User {
			return
		}
	}
	c.broadcast(room, c.presence(room, "left", conn.who))
}

func (c *chat) message(conn *chatConn, m said) {
	if c.mute {
		return
	}
	key := m.Room + " " + conn.who.User + " " + m.ID
	e, again := c.taken[key]
	if !again {
		e = c.store(m, conn.who, time.Now())
		c.taken[key] = e
		c.broadcast(m.Room, e)
	}
	conn.out <- event{"type": "ack", "room": m.Room, "id": m.ID, "seq": e["seq"], "time": e["time"]}
}

func (c *chat) store(m said, who Identity, at time.Time) event {
	e := event{
		"type": "message", "room": m.Room, "seq": len(c.rooms[m.Room]) + 1, "id": m.ID, "user": who.User, "name": who.Name,
		"text": m.Text, "time": at.UnixMilli(),
	}
	c.rooms[m.Room] = append(c.rooms[m.Room], e)
	return e
}

func (c *chat) broadcast(room string, e event) {
	for conn := range c.conns {
		if conn.in[room] {
			conn.out <- e
		}
	}
}

func (c *chat) presence(room, what string, who Identity) event {
	return event{"type": "presence", "room": room, "count": len(c.users(room)), what: []event{{"user": who.User, "name": who.Name}}}
}

func (c *chat) users(room string) []event {
	names := map[string]string{}
	for conn := range c.conns {
		if conn.in[room] {
			names[conn.who.User] = conn.who.Name
		}
	}
	list := []event{}
	for _, user := range slices.SortedFunc(maps.Keys(names), func(a, b string) int {
		return cmp.Or(strings.Compare(names[a], names[b]), strings.Compare(a, b))
	}) {
		list = append(list, event{"user": user, "name": names[user]})
	}
	return list
}
