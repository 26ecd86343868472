package bus

import (
	"context"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// server is a Redis of a test's own.
type server struct {
	t    *testing.T
	dir  string
	port int
	file string // its configuration; "": none
	args []string
	pass string // of the default user
	cmd  *exec.Cmd
}

// newServer starts a Redis with these settings on a free port, and stops it at the end.
func newServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), port: freePort(t), args: args}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// freePort returns a port below those that the kernel gives to clients: else one that
// dials while the server is down may get the server's port, and even connect to itself.
func freePort(t *testing.T) int {
	t.Helper()
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		if l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

func (s *server) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *server) url() string { return "redis://" + s.addr() }

// start starts the server on its port and folder, and waits until it answers.
func (s *server) start() {
	s.t.Helper()
	args := append([]string{
		"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--dir", s.dir, "--save", "",
		"--logfile", filepath.Join(s.dir, "log"),
	}, s.args...)
	if s.file != "" {
		args = append([]string{s.file}, args...)
	}
	s.cmd = exec.Command("redis-server", args...)
	// A test that is killed takes its server along.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("these tests need redis-server: %v", err)
	}
	eventually(s.t, "redis-server answers", func() bool {
		conn, err := net.Dial("tcp", s.addr())
		if err != nil {
			return false
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		if _, err := conn.Write([]byte("PING\r\n")); err != nil {
			return false
		}
		var b [5]byte
		n, _ := conn.Read(b[:])
		return string(b[:n]) == "+PONG" || string(b[:n]) == "-NOAU"
	})
}

// kill ends the server as a crash would.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

// stop and cont suspend the server and let it go on.
func (s *server) stop() { s.signal(syscall.SIGSTOP) }
func (s *server) cont() { s.signal(syscall.SIGCONT) }

func (s *server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// empty removes what a stopped server kept.
func (s *server) empty() {
	s.t.Helper()
	for _, name := range []string{"dump.rdb", "appendonlydir"} {
		if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
			s.t.Fatal(err)
		}
	}
}

// saved returns a folder with what the running server has written (durable) by now.
func (s *server) saved() string {
	s.t.Helper()
	to := s.t.TempDir()
	if err := os.CopyFS(to, os.DirFS(filepath.Join(s.dir, "appendonlydir"))); err != nil {
		s.t.Fatal(err)
	}
	return to
}

// rollBack gives a stopped server what saved returned.
func (s *server) rollBack(saved string) {
	s.t.Helper()
	s.empty()
	if err := os.CopyFS(filepath.Join(s.dir, "appendonlydir"), os.DirFS(saved)); err != nil {
		s.t.Fatal(err)
	}
}

// ask makes one call as the default user.
func (s *server) ask(args ...string) rueidis.RedisResult {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{
		InitAddress: []string{s.addr()}, Password: s.pass, ForceSingleClient: true, DisableCache: true,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return client.Do(ctx, client.B().Arbitrary(args...).Build())
}

// must makes one call that may not fail, and returns its answer as text.
func (s *server) must(args ...string) string {
	s.t.Helper()
	result := s.ask(args...)
	if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
		s.t.Fatalf("%q: %v", args, err)
	}
	m, _ := result.ToMessage()
	if n, err := m.ToInt64(); err == nil {
		return strconv.FormatInt(n, 10)
	}
	text, _ := m.ToString()
	return text
}

// calls returns how often a command was called.
func (s *server) calls(command string) uint64 {
	s.t.Helper()
	_, rest, _ := strings.Cut(s.must("INFO", "commandstats"), "cmdstat_"+command+":calls=")
	count, _, _ := strings.Cut(rest, ",")
	n, _ := strconv.ParseUint(count, 10, 64)
	return n
}

// limit is the longest time that a test waits for anything: a shared machine may stand
// still, and nothing is measured by it.
const limit = time.Minute

// eventually waits until so holds.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !so(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}
