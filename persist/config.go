package persist

import (
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// Config says where and how to store. The zero value of every field but Dir works.
type Config struct {
	Dir        string       // folder of the database; made if absent
	Durability string       // "os" (default): a commit outlives the process; "disk": a power cut too
	Queue      int          // records that may be taken and not yet committed; default 10,000
	Retain     int          // messages kept a room; 0: all
	Clustered  bool         // epochs come with the bus's entries; Open makes none
	Now        func() int64 // Unix ns; default the system's clock
	Log        *slog.Logger // default: nothing is logged
}

const defaultQueue = 10_000

// withDefaults returns c with zero values replaced.
func (c Config) withDefaults() Config {
	if c.Durability == "" {
		c.Durability = "os"
	}
	if c.Queue == 0 {
		c.Queue = defaultQueue
	}
	if c.Now == nil {
		c.Now = func() int64 { return time.Now().UnixNano() }
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate returns all faults, joined.
func (c Config) validate() error {
	var faults []error
	if c.Dir == "" {
		faults = append(faults, errors.New("persist: no folder given"))
	}
	if c.Durability != "os" && c.Durability != "disk" {
		faults = append(faults, fmt.Errorf("persist: durability %q is neither os nor disk", c.Durability))
	}
	if c.Queue < 0 {
		faults = append(faults, fmt.Errorf("persist: a queue of %d records", c.Queue))
	}
	if c.Retain < 0 {
		faults = append(faults, fmt.Errorf("persist: retain %d messages", c.Retain))
	}
	return errors.Join(faults...)
}
