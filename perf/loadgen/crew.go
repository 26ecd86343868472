//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"nebula/perf/load"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// endWithin is how long a worker may take to end when its input has.
const endWithin = 5 * time.Second

// crew is the workers of a run, in order. Owned by the main goroutine but while a step runs.
type crew []*worker

// worker is one process.
type worker struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	orders  *json.Encoder
	answers *json.Decoder
}

// hire starts one worker and waits until its clients are where they should be.
func (c *crew) hire(ctx context.Context, cfg load.Config, stderr io.Writer) (*load.Ready, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, asWorker)
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a terminal's SIGINT is for this process, which ends the workers
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	cmd.Cancel, cmd.WaitDelay = in.Close, endWithin
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w := &worker{cmd: cmd, in: in, orders: json.NewEncoder(in), answers: json.NewDecoder(out)}
	*c = append(*c, w)
	if err := w.orders.Encode(cfg); err != nil {
		return nil, fmt.Errorf("tell a worker: %w", err)
	}
	answer, err := w.answer()
	if err != nil {
		return nil, err
	}
	if answer.Ready == nil {
		return nil, errors.New("a worker is not ready and does not say why")
	}
	return answer.Ready, nil
}

// tell gives every worker an order; order makes the one for number i.
func (c crew) tell(order func(i int) load.Command) error {
	for i, w := range c {
		if err := w.orders.Encode(order(i)); err != nil {
			return fmt.Errorf("tell worker %d: %w", i, err)
		}
	}
	return nil
}

// hear waits for an answer of every worker and gives each to take.
func (c crew) hear(take func(load.Answer)) error {
	var faults []error
	for _, w := range c {
		answer, err := w.answer()
		if err != nil {
			faults = append(faults, err)
			continue
		}
		take(answer)
	}
	return errors.Join(faults...)
}

func (w *worker) answer() (load.Answer, error) {
	var answer load.Answer
	if err := w.answers.Decode(&answer); err != nil {
		return answer, fmt.Errorf("hear a worker: %w", err)
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}

// dismiss ends every worker and waits until it has ended.
func (c crew) dismiss() {
	for _, w := range c {
		w.in.Close()
	}
	for _, w := range c {
		late := time.AfterFunc(endWithin, func() { _ = w.cmd.Process.Kill() })
		_, _ = io.Copy(io.Discard, w.answers.Buffered())
		_ = w.cmd.Wait() // how it ended says nothing that its answers did not
		late.Stop()
	}
}
