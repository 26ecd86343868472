//go:build linux

package main

import (
	"fmt"
	"strconv"
	"time"
)

// row is one line of work.
type row struct {
	name    string
	what    string
	mode    string // of loadgen
	clients int
	rooms   int
	rate    float64 // messages a second; 0: the mode has none
	last    time.Duration
	oneCore bool // the server has a core of its own
	floor   bool // the floor does it too
	store   bool // it cannot do without the database
	extra   []string
	bar     func(pair) (bar string, met bool)
}

const (
	server   = "nebula"
	floor    = "floor"
	overUs   = 1.15 // most CPU over the floor's
	lastCore = 0.65 // of the time one core would need for all
)

func rows() []row {
	return []row{
		{
			name: "rooms-of-100", what: "5,000 sockets, 50 rooms of 100, 200 messages/s", mode: "steady",
			clients: 5000, rooms: 50, rate: 200, last: 10 * time.Second, floor: true, bar: nearFloor,
		},
		{
			name: "rooms-of-1000", what: "5,000 sockets, 5 rooms of 1,000, 50 messages/s", mode: "steady",
			clients: 5000, rooms: 5, rate: 50, last: 10 * time.Second, floor: true, bar: nearFloor,
		},
		{
			name: "one-room", what: "15,000 sockets, 1 room, 2 messages/s", mode: "steady",
			clients: 15_000, rooms: 1, rate: 2, last: 15 * time.Second, floor: true, bar: nearFloorAndLanes,
		},
		{
			name: "offered-250k", what: "2,000 sockets, 20 rooms of 100, 2,500 messages/s, server on one core", mode: "steady",
			clients: 2000, rooms: 20, rate: 2500, last: 10 * time.Second, oneCore: true, floor: true, bar: p99Under(20),
		},
		{
			name: "highest-rate", what: "2,000 sockets, 20 rooms of 100, server on one core: highest rate with p99 under 150 ms", mode: "search",
			clients: 2000, rooms: 20, rate: 4000, last: 4 * time.Second, oneCore: true, floor: true, bar: perSecondOver(1_250_000),
		},
		{
			name: "idle", what: "15,000 idle sockets", mode: "idle",
			clients: 15_000, last: 6 * time.Second, bar: bytesUnder(1024),
		},
		{name: "storm", what: "19,000 sockets join one room", mode: "storm", clients: 19_000, rooms: 1, last: 20 * time.Second, bar: noFault},
		{
			name: "slow", what: "100 sockets, 1,000 messages/s of 1,000 bytes, 5 sockets do not read for 8 s", mode: "slow",
			clients: 100, rooms: 1, rate: 1000, last: 10 * time.Second, store: true, bar: noFault,
		},
		{
			name: "overload", what: "2,000 sockets, 20 rooms of 100, 25,000 messages/s offered for 5 s", mode: "overload",
			clients: 2000, rooms: 20, rate: 25_000, last: 5 * time.Second, store: true, bar: noFault,
		},
		{
			name: "restart", what: "1,000 sockets, 10 rooms, 500 messages/s, server stopped and started", mode: "restart",
			clients: 1000, rooms: 10, rate: 500, last: 10 * time.Second, store: true, bar: noFault,
		},
		{
			name: "kill", what: "the same, server killed by SIGKILL", mode: "restart",
			clients: 1000, rooms: 10, rate: 500, last: 10 * time.Second, store: true, extra: []string{"-kill"}, bar: noFault,
		},
	}
}

// quick is the row a tenth as large and shorter: it shows that the row works, and no figure.
func (r row) quick() row {
	const part = 10
	r.clients /= part
	r.rooms = max(r.rooms/part, min(r.rooms, 1))
	if r.mode != "slow" { // which must fill buffers
		r.rate /= part
		r.last = min(r.last, 2*time.Second)
		if r.rate > 0 && r.mode != "search" {
			r.rate = max(r.rate, 2)
		}
	} else {
		r.clients = 20
	}
	return r
}

// arguments are loadgen's; command starts the server.
func (r row) arguments(addr, command, collect string) []string {
	args := []string{
		r.mode, "-addr", addr, "-server", command, "-clients", strconv.Itoa(r.clients),
		"-rooms", strconv.Itoa(r.rooms), "-for", r.last.String(),
	}
	if r.rate > 0 {
		args = append(args, "-rate", fmt.Sprint(r.rate))
	}
	if r.mode == "idle" && collect != "" {
		args = append(args, "-collect", collect)
	}
	return append(args, r.extra...)
}
