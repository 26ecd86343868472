//go:build linux

package load

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"nebula/perf/sock"
	"os"

	"golang.org/x/sys/unix"
)

// calmFor is how long presence must be silent to count as calm.
const calmFor = 1500 * millisecond

// Work is the life of a worker process: in is its standard input (a descriptor),
// which brings a Config and then Commands, a line each; out gets Answers. It
// returns when it is told to quit or when in ends.
func Work(in int, out io.Writer) error {
	write := json.NewEncoder(out)
	err := work(&lines{fd: in}, write)
	if err != nil && !errors.Is(err, io.EOF) {
		return errors.Join(err, write.Encode(Answer{Error: err.Error()}))
	}
	return nil
}

func work(control *lines, write *json.Encoder) error {
	var cfg Config
	if err := control.wait(&cfg); err != nil {
		return err
	}
	g, err := New(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = g.Close() }()
	if err := g.listenTo(control); err != nil { // before connecting: the end of the control must end that too
		return err
	}
	ready, err := g.Connect()
	if err != nil {
		return err
	}
	answer := Answer{Ready: &ready}
	for {
		if err := write.Encode(answer); err != nil {
			return fmt.Errorf("load: answer: %w", err)
		}
		var order Command
		if err := g.await(&order); err != nil {
			return err
		}
		if answer, err = g.obey(order); err != nil {
			return err
		}
		if order.Do == DoQuit {
			return nil
		}
	}
}

func (g *Generator) obey(order Command) (Answer, error) {
	switch order.Do {
	case DoStep:
		report, err := g.Step(order.Plan)
		return Answer{Step: report}, err
	case DoCalm:
		began := g.clock.Now()
		quiet, err := g.Calm(order.Wait)
		return Answer{Calm: &Calm{quiet, float64(g.clock.Now()-began) / float64(second)}}, err
	case DoAudit:
		audit, err := g.Audit(order.Wait)
		return Answer{Audit: &audit}, err
	case DoQuit:
		return Answer{}, nil
	}
	return Answer{}, fmt.Errorf("load: unknown command %q", order.Do)
}

// Calm waits until presence was silent for a while, at most as long as that.
func (g *Generator) Calm(most int64) (bool, error) {
	g.quietAt = g.clock.Now()
	return g.run(g.quietAt+most, func() bool { return g.now-g.quietAt > calmFor })
}

// listenTo lets the loop read commands.
func (g *Generator) listenTo(control *lines) error {
	g.control = control
	return g.poller.Add(control.fd, controlKey, 0, sock.Read)
}

// await keeps the clients alive until a command comes.
func (g *Generator) await(order *Command) error {
	for {
		if line, ok := g.control.next(); ok {
			return decode(line, order)
		}
		if _, err := g.run(g.clock.Now()+tickEvery, nil); err != nil {
			return err
		}
	}
}

// lines reads from a descriptor, which must be readable when fill is called.
type lines struct {
	fd  int
	buf []byte
}

// fill reads once; io.EOF at the end.
func (l *lines) fill() error {
	var room [4096]byte
	n, err := unix.Read(l.fd, room[:])
	switch {
	case errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return os.NewSyscallError("read", err)
	case n == 0:
		return io.EOF
	}
	l.buf = append(l.buf, room[:n]...)
	return nil
}

// next takes one line. The slice is valid until the next fill.
func (l *lines) next() ([]byte, bool) {
	end := bytes.IndexByte(l.buf, '\n')
	if end < 0 {
		return nil, false
	}
	line := l.buf[:end]
	l.buf = l.buf[end+1:]
	return line, true
}

// wait blocks for one line.
func (l *lines) wait(v any) error {
	for {
		if line, ok := l.next(); ok {
			return decode(line, v)
		}
		if err := l.fill(); err != nil {
			return err
		}
	}
}

func decode(line []byte, v any) error {
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("load: bad command: %w", err)
	}
	return nil
}
