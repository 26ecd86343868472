package load

import (
	"errors"
	"fmt"
	"nebula/perf/wire"
	"net/netip"
)

// Config says whom a worker plays. It travels as JSON from crew to worker.
type Config struct {
	Addr       string `json:"addr"`       // of the server, IPv4 loopback
	Targets    int    `json:"targets"`    // destination addresses, Addr and the following ones; 0: Addr alone
	Sources    int    `json:"sources"`    // source addresses of this worker; 0: 8
	Clients    int    `json:"clients"`    // of this worker
	First      int    `json:"first"`      // number in the crew of the first one
	Stride     int    `json:"stride"`     // between the numbers of two; 0: 1
	Total      int    `json:"total"`      // clients of the crew; 0: Clients
	Rooms      int    `json:"rooms"`      // client number n is in room n mod Rooms; 0: nobody joins
	Prefix     string `json:"prefix"`     // of the rooms' names
	Late       bool   `json:"late"`       // join only when a storm says so
	Senders    int    `json:"senders"`    // how many of the clients publish; 0: all
	Text       int    `json:"text"`       // of a message, bytes
	Unanswered int    `json:"unanswered"` // clients between connect and joined at once; 0: 128
	Slow       int    `json:"slow"`       // the last ones, which stop reading when told
	SlowBuffer int    `json:"slow_buffer"`
	Resume     bool   `json:"resume"`      // come back when thrown out
	Patience   int64  `json:"patience_ns"` // longest time for everybody to connect and join; 0: 60 s
	Run        string `json:"run"`         // marks the messages of this run; letters and digits
	Worker     int    `json:"worker"`      // number in the crew
}

// withDefaults returns c with what was left open.
func (c Config) withDefaults() Config {
	orElse := func(value *int, other int) {
		if *value == 0 {
			*value = other
		}
	}
	orElse(&c.Targets, 1)
	orElse(&c.Sources, 8)
	orElse(&c.Stride, 1)
	orElse(&c.Total, c.Clients)
	orElse(&c.Text, 128)
	orElse(&c.Unanswered, 128)
	orElse(&c.SlowBuffer, 4096)
	if c.Senders == 0 || c.Senders > c.Clients-c.Slow {
		c.Senders = c.Clients - c.Slow
	}
	if c.Prefix == "" {
		c.Prefix = "load-"
	}
	if c.Run == "" {
		c.Run = "run"
	}
	if c.Patience == 0 {
		c.Patience = 60 * second
	}
	return c
}

// validate returns everything that is wrong with a complete c.
func (c Config) validate() error {
	var faults []error
	need := func(ok bool, format string, args ...any) {
		if !ok {
			faults = append(faults, fmt.Errorf("load: "+format, args...))
		}
	}
	at, err := netip.ParseAddrPort(c.Addr)
	need(err == nil && at.Addr().Is4() && at.Addr().IsLoopback() && at.Port() != 0, "address %q is no IPv4 loopback address with a port", c.Addr)
	need(c.Clients > 0, "%d clients", c.Clients)
	need(c.Rooms >= 0, "%d rooms", c.Rooms)
	need(c.Text >= wire.MinText, "text of %d bytes: want at least %d, for the stamp", c.Text, wire.MinText)
	need(c.Slow >= 0 && c.Slow < c.Clients, "%d slow clients of %d", c.Slow, c.Clients)
	need(c.Targets > 0 && c.Targets <= 100 && c.Sources > 0 && c.Sources <= 100, "%d targets, %d sources: want 1 to 100", c.Targets, c.Sources)
	need(c.Unanswered > 0, "%d unanswered handshakes", c.Unanswered)
	need(c.Worker >= 0 && c.Worker < 200, "worker %d", c.Worker)
	return errors.Join(faults...)
}

const (
	millisecond = int64(1_000_000)
	second      = 1000 * millisecond
)
