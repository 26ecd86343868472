package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"nebula/perf/fault/verdict"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
)

// binaries are the servers of all tests: the ordinary one and the one with failpoints.
type binaries struct{ plain, failing string }

var built binaries // by TestMain

// TestMain builds them, and looks for goroutines left over.
func TestMain(m *testing.M) {
	code, err := testAll(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testAll(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "nebula-fault-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	readSources()
	built = binaries{filepath.Join(dir, "plain"), filepath.Join(dir, "failing")}
	if err := errors.Join(build(context.Background(), built.plain, false), build(context.Background(), built.failing, true)); err != nil {
		return 1, err
	}
	before := runtime.NumGoroutine()
	code = m.Run()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			stacks := make([]byte, 1<<20)
			return 1, fmt.Errorf("goroutines left over:\n%s", stacks[:runtime.Stack(stacks, true)])
		}
	}
	return code, nil
}

// readSources has go test know what the server is made of: it does not track what
// go build reads, and would answer from its cache.
func readSources() {
	for _, dir := range []string{"cmd", "netpoll", "frame", "shard", "bus", "persist", "web"} {
		_ = filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, _ fs.DirEntry, err error) error {
			if err == nil {
				_, err = os.Stat(path)
			}
			return err // what cannot be read is for go build to tell
		})
	}
}

// small is a run of a few seconds.
func small(seed uint64) Config {
	return Config{Seed: seed, Nodes: 1, Durability: "os", Senders: 8, Rooms: 4, Readers: 2, Window: 16, Rate: 4000, Probes: 2000}
}

// try runs strikes against a server of its own. wrap, if any, comes between.
func try(t *testing.T, cfg Config, strikes []Strike, wrap func(work string, s System) System) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	binary := built.plain
	if cfg.Point != "" || cfg.Points {
		binary = built.failing
	}
	work, err := os.MkdirTemp("", "nebula-fault-test-") // a short path: a Unix socket is in it
	if err != nil {
		t.Fatal(err)
	}
	sys, err := newSystem(cfg, binary, work)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := errors.Join(sys.Close(), os.RemoveAll(work)); err != nil {
			t.Error(err)
		}
	}()
	if wrap != nil {
		sys = wrap(work, sys)
	}
	result, err := run(ctx, cfg, sys, strikes, t.Logf)
	if err != nil {
		t.Fatalf("%v\nthe server's last words:\n%s", err, sys.Log())
	}
	return result
}

// quick shortens what a plan waits for.
func quick(strikes []Strike) []Strike {
	for i := range strikes {
		strikes[i].After = min(strikes[i].After, 400*time.Millisecond)
		strikes[i].For = min(strikes[i].For, 200*time.Millisecond)
	}
	return strikes
}

func TestRun_ServerKeepsItsPromises(t *testing.T) {
	t.Parallel()
	cfg := small(7)
	strikes := []Strike{{Blow: Term}, {Blow: Hold}, {Blow: KillHeld}, {Blow: KillEarly}}
	strikes = append(strikes, plan(rand.New(rand.NewPCG(cfg.Seed, 0)), 4)...)
	for i := range strikes[:4] {
		strikes[i].After, strikes[i].For = 300*time.Millisecond, 50*time.Millisecond
	}
	got := try(t, cfg, quick(strikes), nil)
	if !got.Kept {
		t.Errorf("broken:\n%s", strings.Join(got.Sentences, "\n"))
	}
	if got.Acked == 0 || got.Counts.Resends == 0 || got.Counts.Repeats == 0 || got.Resumes == 0 || got.Probes == 0 ||
		got.Epochs < 5 || got.Blows[Kill]+got.Blows[KillEarly]+got.Blows[KillHeld] < 6 {
		t.Errorf("the run did not do what it is for: %+v", got)
	}
}

// forgetful is a server whose write-ahead log goes with every kill: what was
// committed and not yet checkpointed is lost.
type forgetful struct {
	*single
	data string
}

func (f *forgetful) Strike(s Strike, faults *verdict.Faults) error {
	if s.Blow == Kill {
		if err := f.Kill(killWithin); err != nil {
			return err
		}
		for _, end := range []string{"-wal", "-shm"} {
			if err := os.Remove(filepath.Join(f.data, "nebula.db"+end)); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		return f.Start()
	}
	return f.single.Strike(s, faults)
}

// TestRun_LossIsCaught is the negative control without a change in the server.
func TestRun_LossIsCaught(t *testing.T) {
	t.Parallel()
	strikes := []Strike{{Blow: Kill, After: 500 * time.Millisecond}}
	got := try(t, small(8), strikes, func(work string, sys System) System { return &forgetful{sys.(*single), filepath.Join(work, "data")} })
	if got.Kept || got.Faults[verdict.Lost] == 0 {
		t.Fatalf("acked messages were thrown away, and the verdict is %+v", got)
	}
	if !strings.Contains(strings.Join(got.Sentences, "\n"), "lost: room-") {
		t.Errorf("nothing names them: %q", got.Sentences)
	}
}

func TestPlan_IsTheSeeds(t *testing.T) {
	of := func(seed uint64) []Strike { return plan(rand.New(rand.NewPCG(seed, 0)), 50) }
	if !reflect.DeepEqual(of(1), of(1)) {
		t.Error("one seed, two schedules")
	}
	if reflect.DeepEqual(of(1), of(2)) {
		t.Error("two seeds, one schedule")
	}
	kills, blows := 0, make(map[Blow]int)
	for _, s := range of(1) {
		blows[s.Blow]++
		if s.Blow == Kill || s.Blow == KillEarly || s.Blow == KillHeld {
			kills++
		}
	}
	if kills != 50 || blows[Term] != 10 || blows[Hold] != 10 || blows[KillEarly] == 0 || blows[KillHeld] == 0 {
		t.Errorf("got %d kills, %v", kills, blows)
	}
}
