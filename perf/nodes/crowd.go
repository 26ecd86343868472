//go:build linux

package main

import (
	"fmt"
	"nebula/perf/check"
	"nebula/perf/meter"
	"nebula/perf/sock"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// crowd plays all clients of the loads: in each room there is one on each node. It
// belongs to one goroutine at a time.
type crowd struct {
	// Static after construction.
	clock    meter.Clock
	text     int // of a message, bytes
	unacked  int // messages of one member that may wait for their answer
	prefixes []string

	poller  *sock.Poller
	members []member
	rooms   []room
	ledger  check.Ledger
	sender  int // whose turn it is to send
	free    int // members that may send

	in, payload, frame []byte // scratch

	now  int64 // as of the last read
	plan plan
	k    uint64 // messages whose turn has come
	seen sight
}

// member is one client in its room.
type member struct {
	room    *room
	node    int32
	fd      int32
	unacked int
	stream  check.Stream
	digest  uint64 // of the numbers of the messages that came, in order
	tail    []byte // a frame that has not come whole
	out     []byte // bytes that the kernel did not take
	watched bool   // for writing
	mask    uint64 // state of the generator of masking keys
}

// room is what all its members know.
type room struct {
	index int32
	name  string
	head  uint64 // highest seq acked or seen
}

// joinAtOnce is how many handshakes are under way.
const joinAtOnce = 16

// gather connects everybody.
func gather(clock meter.Clock, s settings, addrs []string) (*crowd, error) {
	poller, err := sock.NewPoller(1024)
	if err != nil {
		return nil, err
	}
	c := &crowd{
		clock: clock, text: s.text, unacked: s.unacked, poller: poller, in: make([]byte, 2*readSize),
		members: make([]member, s.rooms*len(addrs)), rooms: make([]room, s.rooms),
	}
	for i := range addrs {
		c.prefixes = append(c.prefixes, string(rune('a'+i))+"-")
	}
	for i := range c.rooms {
		c.rooms[i] = room{index: int32(i), name: "load-" + strconv.Itoa(i)}
	}
	faults := make([]error, joinAtOnce)
	var all sync.WaitGroup
	for first := range joinAtOnce {
		all.Go(func() {
			for i := first; i < len(c.members) && faults[first] == nil; i += joinAtOnce {
				m := &c.members[i]
				m.fd, m.node, m.room = -1, int32(i%len(addrs)), &c.rooms[i/len(addrs)]
				faults[first] = m.join(addrs[m.node], uint64(i))
			}
		})
	}
	all.Wait()
	for i := range c.members {
		if m := &c.members[i]; m.room != nil && m.fd >= 0 {
			faults = append(faults, poller.Add(int(m.fd), int32(i), 0, sock.Read))
		}
	}
	for _, fault := range faults {
		if fault != nil {
			_ = c.close() // nothing that was sent can be lost
			return nil, fmt.Errorf("gather the crowd: %w", fault)
		}
	}
	return c, nil
}

// join connects as a peer does, and takes its socket from it: one that Go's own poller
// knows would wake that one too.
func (m *member) join(addr string, nonce uint64) error {
	p, err := enter(addr, m.room.name, nonce)
	if err != nil {
		return err
	}
	defer p.conn.Close()
	socket, ok := p.conn.(syscall.Conn)
	if !ok {
		return fmt.Errorf("a connection of type %T", p.conn)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	if err := raw.Control(func(fd uintptr) {
		var own int
		if own, fault = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); fault == nil {
			m.fd = int32(own)
		}
	}); err != nil {
		return err
	}
	m.stream, m.tail, m.mask = p.stream, append([]byte(nil), p.in[p.used:]...), nonce
	return fault
}

// close hangs up.
func (c *crowd) close() error {
	for i := range c.members {
		if m := &c.members[i]; m.room != nil && m.fd >= 0 {
			sock.Close(int(m.fd))
			m.fd = -1
		}
	}
	return c.poller.Close()
}
