//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"nebula/perf/bare"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// output is what several processes may write to.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// result runs loadgen and reads what it prints.
func result(t *testing.T, code int, args ...string) *Result {
	t.Helper()
	var stdout, stderr output
	if got := run(t.Context(), args, &stdout, &stderr); got != code {
		t.Fatalf("%v: got exit code %d, want %d\n%s%s", args, got, code, stdout.String(), stderr.String())
	}
	r := new(Result)
	if err := json.Unmarshal([]byte(stdout.String()), r); err != nil {
		t.Fatalf("%v: %v\n%s", args, err, stderr.String())
	}
	return r
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startBare serves the floor in this process until the test ends.
func startBare(t *testing.T) *bare.Server {
	t.Helper()
	server, err := bare.New(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- server.Run() }()
	t.Cleanup(func() {
		server.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestRun_TwoWorkersCountEveryDeliveryOnce(t *testing.T) {
	server := startBare(t)
	r := result(t, exitOK, "steady", "-addr", server.Addr().String(), "-workers", "2", "-clients", "31", "-rooms", "3",
		"-rate", "100", "-warm", "100ms", "-for", "500ms")
	if r.Published != 50 || r.Answers.Acked != 60 || r.Acks.Count != 50 || r.Latency.Count < 500 || r.Latency.Count > 550 {
		t.Errorf("got %d published, %d acked, %d ack times, %d latencies; want 50, 60, 50, 500 to 550",
			r.Published, r.Answers.Acked, r.Acks.Count, r.Latency.Count)
	}
	if r.Lost+r.Doubled+r.Misordered+r.ThrownOut != 0 || r.Workers != 2 {
		t.Errorf("got %+v", r)
	}
}

// Every mode, small, against the real server. The floor forgets what it sent, so
// it has no history to resume from: the same mode must find that.
func TestRun_EveryMode(t *testing.T) {
	nebula := build(t, "nebula/cmd/nebula")
	floor := build(t, "nebula/perf/floor")
	start := func(t *testing.T) (addr, command string) {
		addr = freeAddr(t)
		return addr, fmt.Sprintf("%s -addr %s -admin= -data %s -rate 0 -ip-rate 0 -send-bytes 131072 -log-level error", nebula, addr, t.TempDir())
	}
	for name, args := range map[string][]string{
		"steady":   {"-clients", "30", "-rooms", "3", "-rate", "100", "-for", "500ms", "-warm", "0"},
		"idle":     {"-clients", "60", "-for", "300ms"},
		"storm":    {"-clients", "300", "-for", "2s"},
		"overload": {"-clients", "4", "-rooms", "1", "-slow", "1", "-text", "4000", "-rate", "1500", "-for", "2s", "-slow-for", "2s"},
		"restart":  {"-clients", "30", "-rooms", "3", "-rate", "100", "-for", "1s", "-kill"},
		"search":   {"-clients", "20", "-rooms", "2", "-rate", "1000000", "-limit", "1ns", "-warm", "0", "-for", "1ms"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, command := start(t)
			code := exitOK
			if name == "search" {
				code = exitFail // nothing is faster than a nanosecond
			}
			r := result(t, code, slices.Concat([]string{name, "-addr", addr, "-server", command}, args)...)
			switch name {
			case "steady", "idle", "storm", "overload":
				if r.Server == nil || r.Server.RSS == 0 {
					t.Errorf("the server was not metered: %+v", r.Server)
				}
			case "search":
				if len(r.Search) != doublings+bisections || r.Search[1].Rate != 500_000 {
					t.Errorf("got %+v", r.Search)
				}
			case "restart":
				if r.Restart == nil || r.Restart.BackTime.Count != 30 || r.Restart.Audit.Rooms != 3 {
					t.Errorf("got %+v", r.Restart)
				}
			}
			if name == "idle" && (len(r.Idle.Stages) != 4 || r.Idle.Stages[3].Clients != 60) {
				t.Errorf("got %+v", r.Idle)
			}
			if name == "overload" && (r.Closed[tryAgainLater] == 0 || r.Back < r.Closed[tryAgainLater] || r.Recovered == 0) {
				t.Errorf("got %v closed, %d back, %d recovered", r.Closed, r.Back, r.Recovered)
			}
		})
	}
	t.Run("restart of a node of two", func(t *testing.T) {
		t.Parallel()
		addr := freeAddr(t)
		_, port, _ := strings.Cut(addr, ":")
		command := fmt.Sprintf("%s -addr 127.0.0.{node}:%s -admin= -data %s/{node} -rate 0 -ip-rate 0 -log-level error -redis redis://%s -node n{node} -secret the-secret-of-a-test",
			nebula, port, t.TempDir(), startRedis(t))
		r := result(t, exitOK, "restart", "-addr", addr, "-nodes", "2", "-server", command, "-clients", "30", "-rooms", "3", "-rate", "100", "-for", "1s")
		if r.ThrownOut == 0 || r.ThrownOut == 30 || r.Back != r.ThrownOut || r.Restart.Audit.Rooms != 3 {
			t.Errorf("got %d thrown out, %d back, %+v", r.ThrownOut, r.Back, r.Restart)
		}
	})
	t.Run("restart of a server that forgets", func(t *testing.T) {
		t.Parallel()
		addr := freeAddr(t)
		r := result(t, exitFail, "restart", "-addr", addr, "-server", floor+" -addr "+addr, "-clients", "6", "-rooms", "2", "-rate", "100",
			"-for", "500ms", "-warm", "0", "-drain", "500ms")
		if r.Restart.Forgotten != r.Answers.Acked || r.Answers.Acked == 0 {
			t.Errorf("got %d of %d acked messages forgotten, want all", r.Restart.Forgotten, r.Answers.Acked)
		}
	})
}

// startRedis starts a redis-server that ends with the test, and returns its address.
func startRedis(t *testing.T) string {
	addr := freeAddr(t)
	host, port, _ := strings.Cut(addr, ":")
	redis := exec.Command("redis-server", "--bind", host, "--port", port, "--dir", t.TempDir(), "--save", "")
	if err := redis.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = redis.Process.Kill()
		_ = redis.Wait() // it was killed
	})
	return addr // the nodes wait for it
}

func TestRun_SIGINTLeavesNobodyBehind(t *testing.T) {
	floor := build(t, "nebula/perf/floor")
	addr := freeAddr(t)
	ctx, interrupt := context.WithCancel(t.Context()) // what the signal does in main
	defer interrupt()
	done := make(chan int)
	var stdout, stderr output
	go func() {
		done <- run(ctx, []string{
			"steady", "-addr", addr, "-server", floor + " -addr " + addr, "-clients", "20", "-for", "1h",
		}, &stdout, &stderr)
	}()
	for { // until it plays
		if conn, err := net.Dial("tcp4", addr); err == nil {
			conn.Close()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	interrupt()
	if code := <-done; code != exitFail || stdout.String() != "" || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("got exit code %d, %q", code, stderr.String())
	}
	if _, err := net.Dial("tcp4", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the server still listens: %v", err)
	}
}

func TestParse_SaysWhatIsWrong(t *testing.T) {
	for name, args := range map[string][]string{
		"mode":     {"stedy"},
		"flag":     {"idle", "-rate", "3"},
		"argument": {"steady", "x"},
		"clients":  {"steady", "-clients", "0"},
		"restart":  {"restart"},
		"both":     {"steady", "-pid", "1", "-server", "x"},
		"address":  {"steady", "-addr", "localhost:8080"},
		"nodes":    {"steady", "-nodes", "0"},
	} {
		var stderr bytes.Buffer
		if _, err := parse(args, &stderr); err == nil || errors.Is(err, flag.ErrHelp) {
			t.Errorf("%s: got %v, want an error", name, err)
		}
	}
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"-h"}, &stderr, &stderr); code != exitOK || !strings.Contains(stderr.String(), "overload") {
		t.Errorf("-h: got %d, %s", code, stderr.String())
	}
}
