//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(command()) }

// command is main without the process: it returns the exit code.
func command() int {
	quick := flag.Bool("quick", false, "each row a tenth as large and for a few seconds, once: shows that it works, and no figure")
	only := flag.String("only", "", "rows whose name contains this")
	repeat := flag.Int("repeat", 3, "runs of each, of which the medians are shown")
	durability := flag.String("durability", "none", "Nebula's in the rows that do not need its database: none, os, disk")
	out := flag.String("out", filepath.Join("perf", "out"), "folder for rows.md and rows.json")
	list := flag.Bool("list", false, "print the rows' names and end")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	chosen := choose(*only, *quick)
	if *list {
		for _, r := range chosen {
			fmt.Printf("%-14s %s\n", r.name, r.what)
		}
		return 0
	}
	if *quick {
		*repeat = 1
	}
	good, err := measure(ctx, chosen, *repeat, *durability, *out)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rows:", err)
	}
	if err != nil || !good {
		return 1
	}
	return 0
}

func choose(only string, quick bool) []row {
	var chosen []row
	for _, r := range rows() {
		if !strings.Contains(r.name, only) {
			continue
		}
		if quick {
			r = r.quick()
		}
		chosen = append(chosen, r)
	}
	return chosen
}

// measure makes every row and writes both files, also after an interrupt; good
// tells that nothing was lost, doubled, misordered or thrown out by Nebula.
func measure(ctx context.Context, chosen []row, repeat int, durability, out string) (good bool, err error) {
	if len(chosen) == 0 || repeat < 1 {
		return false, errors.New("no row to run: -list names them")
	}
	folder, err := os.MkdirTemp("", "nebula-rows-")
	if err != nil {
		return false, fmt.Errorf("make a folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(folder) }()
	b := &bench{folder: folder, durability: durability, stderr: os.Stderr}
	if err := b.build(ctx); err != nil {
		return false, err
	}
	head := machine(ctx, repeat, durability)
	var pairs []pair
	good = true
	for _, r := range chosen {
		p, fault := b.measure(ctx, r, repeat)
		if fault != nil {
			err = errors.Join(err, fault)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		good = good && !p.ours.bad()
		pairs = append(pairs, p)
	}
	text := table(head, pairs)
	fmt.Print(text)
	return good, errors.Join(err, write(out, text, b.runs))
}

func write(out, text string, runs []run) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	raw, err := json.MarshalIndent(runs, "", " ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	for name, content := range map[string][]byte{"rows.md": []byte(text), "rows.json": raw} {
		if err := os.WriteFile(filepath.Join(out, name), content, 0o644); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	return nil
}

// machine says where and when, and how busy the machine was before.
func machine(ctx context.Context, repeat int, durability string) string {
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("Nebula at %s, %s; %d cores, Linux %s, %s, load average before %s; medians of %d, durability %s.\n",
		strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.DateTime), runtime.NumCPU(),
		strings.TrimSpace(string(kernel)), runtime.Version(), strings.Join(strings.Fields(string(load))[:min(3, len(strings.Fields(string(load))))], " "), repeat, durability)
}

// generatorCores are all but the server's, for taskset.
func generatorCores() string {
	if n := runtime.NumCPU(); n > 2 {
		return fmt.Sprintf("1-%d", n-1)
	}
	return "1"
}
