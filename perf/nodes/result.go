//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// result is everything that was measured, as it stands in nodes.json.
type result struct {
	Head       string   `json:"head"` // where and when
	EntryBytes int      `json:"entry_bytes"`
	Latency    [][]leg  `json:"latency"` // of each round
	Ways       []way    `json:"latency_medians"`
	Loads      []*load  `json:"loads"` // of each round
	Medians    []*load  `json:"load_medians"`
	Faults     []string `json:"faults"` // promises that were broken
}

func newResult(ctx context.Context, s settings) *result {
	commit, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		commit = []byte("unknown")
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	busy, _ := os.ReadFile("/proc/loadavg")
	before, _, _ := strings.Cut(string(busy), " ")
	return &result{Head: fmt.Sprintf("Nebula at %s, %s; %d nodes and Redis (appendfsync everysec) on %d cores, Linux %s, %s, load average before %s.",
		strings.TrimSpace(string(commit)), time.Now().UTC().Format(time.DateTime), s.nodes, runtime.NumCPU(),
		strings.TrimSpace(string(kernel)), runtime.Version(), before)}
}

func (r *result) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

// add takes the figures of one load.
func (r *result) add(l *load) {
	r.Loads = append(r.Loads, l)
	for _, broken := range l.Faults {
		r.fault("%.0f messages a second: %s", l.Asked, broken)
	}
}

// conclude makes the medians.
func (r *result) conclude() {
	r.Ways = ways(r.Latency)
	r.Medians = mediansOf(r.Loads)
}

// write puts the files into a folder and the table on stdout.
func (r *result) write(folder string, stdout io.Writer) error {
	text := r.markdown()
	if _, err := io.WriteString(stdout, text); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	raw, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("write the results: %w", err)
	}
	for name, content := range map[string][]byte{"nodes.md": []byte(text), "nodes.json": raw} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			return fmt.Errorf("write the results: %w", err)
		}
	}
	return nil
}
