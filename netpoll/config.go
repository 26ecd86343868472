package netpoll

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// Config is what Listen needs. Zero values mean the default.
type Config struct {
	Addr           string                 // as net.Listen takes it, TCP
	Engine         string                 // one of Engines; default the first of them
	Loops          int                    // event loops; default one for each 4 CPUs, at least 1
	MaxConns       int                    // open connections; default 1<<20
	ReadBytes      int                    // read buffer of a loop and so the longest unused rest; default 64 KiB
	SendBytes      int                    // unsent bytes of one connection; default 1 MiB
	SendBytesTotal int64                  // unsent bytes of all; default 1 GiB
	SlowClose      []byte                 // last bytes for a connection past these limits
	CutAfter       time.Duration          // time to take the last bytes; default 10 s
	RejectFull     []byte                 // told to a connection past MaxConns
	Handler        func(loop int) Handler // makes the handler of each loop; required
	// FrameEnd returns the end of the frame of b, bytes of a Payload, that holds byte
	// off; off itself where a frame ends. Default: all of b is one. It is called
	// under a connection's lock, on any goroutine.
	FrameEnd func(b []byte, off int) int
}

// validate fills in the defaults, and returns all that is wrong.
func (cfg *Config) validate() error {
	var faults []error
	for _, f := range []struct {
		name  string
		value int64
	}{
		{"Loops", int64(cfg.Loops)},
		{"MaxConns", int64(cfg.MaxConns)},
		{"ReadBytes", int64(cfg.ReadBytes)},
		{"SendBytes", int64(cfg.SendBytes)},
		{"SendBytesTotal", cfg.SendBytesTotal},
		{"CutAfter", int64(cfg.CutAfter)},
	} {
		if f.value < 0 {
			faults = append(faults, fmt.Errorf("netpoll: %s is negative", f.name))
		}
	}
	orDefault(&cfg.Engine, Engines()[0])
	if !slices.Contains(Engines(), cfg.Engine) {
		faults = append(faults, fmt.Errorf("netpoll: no engine %q here", cfg.Engine))
	}
	if cfg.Handler == nil {
		faults = append(faults, errors.New("netpoll: no Handler"))
	}
	orDefault(&cfg.Loops, max(1, runtime.GOMAXPROCS(0)/4))
	orDefault(&cfg.MaxConns, 1<<20)
	orDefault(&cfg.ReadBytes, 64<<10)
	orDefault(&cfg.SendBytes, 1<<20)
	orDefault(&cfg.SendBytesTotal, 1<<30)
	orDefault(&cfg.CutAfter, 10*time.Second)
	if cfg.FrameEnd == nil {
		cfg.FrameEnd = func(b []byte, _ int) int { return len(b) }
	}
	return errors.Join(faults...)
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
