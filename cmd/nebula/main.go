package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"nebula/persist"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
)

const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	cfg, err := parse(args, os.LookupEnv, stdout)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintln(stderr, "nebula:", err)
		return exitUsage
	case cfg.version:
		version, commit := buildVersion()
		fmt.Fprintf(stdout, "nebula %s commit %s %s\n", version, commit, runtime.Version())
		return exitOK
	case cfg.health:
		if err := health(cfg.addr); err != nil {
			fmt.Fprintln(stderr, "nebula:", err)
			return exitFail
		}
		return exitOK
	}
	log := newLogger(cfg, stderr)

	// The second signal ends the process at once, whatever the first one's stop is doing.
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)

	for {
		again, code := serve(cfg, log, signals)
		if !again {
			return code
		}
	}
}

// serve runs a server until it is to end; again: it is to go on with another history.
func serve(cfg config, log *slog.Logger, signals <-chan os.Signal) (again bool, code int) {
	a, err := start(cfg, log)
	if err != nil {
		log.Error("cannot start", "error", err)
		return false, exitFail
	}
	select {
	case sig := <-signals:
		log.Info("stopping", "signal", sig.String())
	case err := <-a.failed:
		log.Error("stopping", "error", err)
		code = exitFail
	case <-a.renewed:
		again = true
	}
	stopped := make(chan struct{})
	defer close(stopped)
	go func() {
		select {
		case <-signals:
			log.Error("another signal: stopping at once")
			os.Exit(exitFail)
		case <-stopped:
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), cfg.drain)
	defer cancel()
	if err := a.stop(ctx); err != nil {
		log.Error("stopped, not cleanly", "error", err)
		return false, exitFail
	}
	if again {
		if err := persist.Replace(a.folder, filepath.Join(a.folder, copyFolder)); err != nil {
			log.Error("cannot go on with the copied history", "error", err)
			return false, exitFail
		}
		return true, exitOK
	}
	log.Info("stopped")
	return false, code
}

func newLogger(cfg config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.logLevel}
	if cfg.log == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// commit is set by the linker where the Go tool sees no repository (Dockerfile).
var commit = "unknown"

// buildVersion is what the Go tool recorded of the source.
func buildVersion() (version, revision string) {
	version, revision = "devel", commit
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, revision
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			revision = setting.Value
		}
	}
	return version, revision
}
