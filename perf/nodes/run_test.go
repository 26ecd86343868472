//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Two small runs at once, with all that a full one does: the figures do not matter.
func TestCommand(t *testing.T) {
	binary, err := build(t.Context(), t.TempDir(), "cmd/nebula")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Quick", func(t *testing.T) { t.Parallel(); quickRun(t, binary) })
	t.Run("InterruptLeavesNothing", func(t *testing.T) { t.Parallel(); interruptedRun(t, binary) })
}

func quickRun(t *testing.T, binary string) {
	out := t.TempDir()
	var stdout, stderr bytes.Buffer
	if code := command(t.Context(), []string{"-quick", "-binary", binary, "-out", out}, &stdout, &stderr); code != 0 {
		t.Fatalf("got exit code %d\n%s%s", code, stdout.String(), stderr.String())
	}
	raw, err := os.ReadFile(filepath.Join(out, "nodes.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r result
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	s := full().quick()
	if len(r.Latency) != s.turns || len(r.Ways) != 7 || r.EntryBytes <= s.text {
		t.Errorf("got %d rounds, %d ways, entries of %d bytes", len(r.Latency), len(r.Ways), r.EntryBytes)
	}
	want := uint64(s.rate * s.turn.Seconds())
	for _, leg := range r.Latency[0] {
		if leg.Took.Count != want || leg.Took.P50 <= 0 {
			t.Errorf("%s: got %+v, want %d", leg.Name, leg.Took, want)
		}
	}
	if len(r.Medians) != len(s.loads) {
		t.Fatalf("got %d loads, want %d", len(r.Medians), len(s.loads))
	}
	for _, l := range r.Medians[1:] {
		if l.Sent == 0 || l.Acked == 0 || l.Across.P50 <= 0 || l.Same.P50 <= 0 || l.Ack.P50 <= 0 || l.Tally.Taken == 0 ||
			l.NodesCores <= 0 || l.BusCores <= 0 || l.Commands <= 0 || l.Scripts <= 0 || l.In <= 0 || l.Out <= 0 {
			t.Errorf("got %+v", l)
		}
	}
	text, err := os.ReadFile(filepath.Join(out, "nodes.md"))
	if err != nil || !bytes.Equal(text, stdout.Bytes()) || !strings.Contains(stdout.String(), "| at rest |") {
		t.Errorf("%v\n%s", err, stdout.String())
	}
}

// onWord calls a function once a word is written to it.
type onWord struct {
	word string
	call func()
}

func (w onWord) Write(b []byte) (int, error) {
	if bytes.Contains(b, []byte(w.word)) {
		w.call()
	}
	return len(b), nil
}

// interruptedRun is interrupted when the crowd plays; TestMain looks at what is left.
func interruptedRun(t *testing.T, binary string) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout bytes.Buffer
	out := filepath.Join(t.TempDir(), "out")
	code := command(ctx, []string{"-quick", "-binary", binary, "-out", out}, &stdout, onWord{" 0 messages", cancel})
	if code != 1 || stdout.Len() > 0 || ctx.Err() == nil {
		t.Errorf("got exit code %d, %s", code, stdout.String())
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a run without a result wrote one")
	}
}
