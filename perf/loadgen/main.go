//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"nebula/perf/load"
	"os"
	"os/signal"
	"syscall"
)

const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

// asWorker is the argument that makes this program a worker.
const asWorker = "worker"

func main() {
	if len(os.Args) == 2 && os.Args[1] == asWorker {
		os.Exit(work())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// work plays a part of the clients; it ends with its standard input.
func work() int {
	if err := load.Work(int(os.Stdin.Fd()), os.Stdout); err != nil {
		return exitFail
	}
	return exitOK
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	s, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "loadgen:", err)
		return exitUsage
	}
	result, err := measure(ctx, s, stderr)
	if err != nil {
		if ctx.Err() != nil {
			err = errors.New("interrupted")
		}
		fmt.Fprintln(stderr, "loadgen:", err)
		return exitFail
	}
	out := json.NewEncoder(stdout)
	out.SetIndent("", "  ")
	if err := out.Encode(result); err != nil {
		fmt.Fprintln(stderr, "loadgen: write the result:", err)
		return exitFail
	}
	if len(result.Faults) > 0 {
		return exitFail
	}
	return exitOK
}
