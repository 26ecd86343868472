//go:build linux

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	os.Exit(command(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// command is main without the process: it returns the exit code.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("nodes", flag.ContinueOnError)
	flags.SetOutput(stderr)
	quick := flags.Bool("quick", false, "a tenth of the load, for a second, once: shows that it works, and no figure")
	binary := flags.String("binary", "", "a nebula to measure; empty: the one of this folder is built")
	out := flags.String("out", filepath.Join("perf", "out"), "folder for nodes.md and nodes.json")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	s := full()
	if *quick {
		s = s.quick()
	}
	s.binary = *binary
	r, err := measure(ctx, s, stderr)
	if err == nil {
		err = r.write(*out, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "nodes:", err)
		return 1
	}
	if len(r.Faults) > 0 {
		return 1
	}
	return 0
}
