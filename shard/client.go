package shard

import "sync/atomic"

// Client is who is behind a connection. It does not change.
type Client struct {
	User, Name string
	Out        Outlet
}

// State is where a Member stands; the gateway reads it.
type State uint32

const (
	Pending State = iota // its join was not answered yet
	Joined
	Out // left, gone, or the join failed
)

// Member is one connection in one room. The gateway makes it, the shard owns it
// from the first command on. It has 64 bytes.
type Member struct {
	// Static after construction.
	client *Client
	name   string // of the room

	// Owned by the shard.
	room     *room     // nil: not in
	waits    *room     // the cold one that it wants to join; nil: none
	question *question // to History, if one is open
	index    int32     // in room.members and room.outs
	gone     bool      // its connection ended while it waited

	// Atomic.
	state atomic.Uint32
}

// NewMember returns a member that has not joined yet; any goroutine.
func NewMember(c *Client, room string) *Member { return &Member{client: c, name: room} }

// Room returns the name of the room.
func (m *Member) Room() string { return m.name }

// State tells where m stands; any goroutine.
func (m *Member) State() State { return State(m.state.Load()) }
