//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"nebula/perf/hist"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// loadgenEnds is how long an interrupted run may take to stop its server and workers.
const loadgenEnds = 30 * time.Second

// bench makes measurements, one at a time.
type bench struct {
	folder     string // of the binaries and data folders; removed at the end
	durability string
	stderr     io.Writer
	runs       []run
}

// run is one measurement, as it stands in rows.json.
type run struct {
	Row     string          `json:"row"`
	Server  string          `json:"server"`
	Command []string        `json:"command"`
	Result  json.RawMessage `json:"result"`
}

// build makes the three programs.
func (b *bench) build(ctx context.Context) error {
	for name, from := range map[string]string{server: "nebula/cmd/nebula", floor: "nebula/perf/floor", "loadgen": "nebula/perf/loadgen"} {
		cmd := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(b.folder, name), from)
		cmd.Stderr = b.stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", from, err)
		}
	}
	return nil
}

// measure lets Nebula and the floor take turns at a row.
func (b *bench) measure(ctx context.Context, r row, repeat int) (pair, error) {
	var ours, floors []figures
	var ratios []float64
	for range repeat {
		one, err := b.once(ctx, r, server)
		if err != nil {
			return pair{}, err
		}
		ours = append(ours, one)
		if !r.floor {
			continue
		}
		other, err := b.once(ctx, r, floor)
		if err != nil {
			return pair{}, err
		}
		floors = append(floors, other)
		if other.PerDelivery > 0 {
			ratios = append(ratios, one.PerDelivery/other.PerDelivery)
		}
	}
	return pair{row: r, ours: medians(ours), floor: medians(floors), ratio: hist.Median(ratios)}, nil
}

// once runs loadgen, which starts and stops the server.
func (b *bench) once(ctx context.Context, r row, who string) (figures, error) {
	data, err := os.MkdirTemp(b.folder, "data-")
	if err != nil {
		return figures{}, fmt.Errorf("make a data folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(data) }()
	addr, err := freeAddr()
	if err != nil {
		return figures{}, err
	}
	admin, err := freeAddr()
	if err != nil {
		return figures{}, err
	}
	command, collect := b.serverCommand(r, who, addr, admin, data)
	args := append([]string{filepath.Join(b.folder, "loadgen")}, r.arguments(addr, command, collect)...)
	if r.oneCore {
		args = append([]string{"taskset", "-c", generatorCores()}, args...)
	}
	fmt.Fprintf(b.stderr, "rows: %s, %s\n", r.name, who)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, b.stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) }
	cmd.WaitDelay = loadgenEnds
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && (!errors.As(err, &exit) || out.Len() == 0) { // with faults it exits 1 and prints its result all the same
		return figures{}, fmt.Errorf("%s, %s: %w", r.name, who, err)
	}
	f, err := read(out.Bytes())
	if err != nil {
		return f, fmt.Errorf("%s, %s: read the result: %w", r.name, who, err)
	}
	b.runs = append(b.runs, run{r.name, who, args, out.Bytes()})
	return f, nil
}

func (b *bench) serverCommand(r row, who, addr, admin, data string) (command, collect string) {
	words := []string{filepath.Join(b.folder, who), "-addr", addr}
	if who == server {
		durability := b.durability
		if r.store && durability == "none" {
			durability = "os"
		}
		words = append(words, "-admin", admin, "-data", data, "-durability", durability, "-rate", "0", "-ip-rate", "0", "-log-level", "warn")
		collect = "http://" + admin + "/debug/pprof/heap?gc=1"
	}
	if r.oneCore {
		words = append([]string{"taskset", "-c", "0"}, words...)
	}
	return strings.Join(words, " "), collect
}

func freeAddr() (string, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}
