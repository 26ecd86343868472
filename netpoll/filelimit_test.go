package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// fewFiles is the limit of open files for serveFewFiles.
const fewFiles = 40

// startFewFiles listens with few files, in a child process, and tells the address.
func startFewFiles(cfg Config) Engine {
	limit := syscall.Rlimit{Cur: fewFiles, Max: fewFiles}
	orExit(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	cfg.Addr, cfg.Handler = "127.0.0.1:0", func(int) Handler { return &funcs{data: lines} }
	e, err := Listen(cfg)
	orExit(err)
	fmt.Println(e.Addr())
	return e
}

func orExit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serveFewFiles tells its counters when its input ends.
func serveFewFiles() {
	e := startFewFiles(Config{})
	_, _ = io.Copy(io.Discard, os.Stdin)
	fmt.Println(e.Stats().RejectedFiles, e.Stats().Accepted)
	orExit(e.Close(context.Background()))
}

// child is a process that runs one of children.
type child struct {
	*exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	addr string
}

func startChild(t *testing.T, name string) *child {
	t.Helper()
	c := &child{Cmd: exec.Command(os.Args[0])}
	c.Env = append(os.Environ(), childEnv+"="+name)
	c.Stderr = os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
	c.in, c.out = in, bufio.NewReader(out)
	c.addr = c.line(t)
	return c
}

// line reads a line that the child has said.
func (c *child) line(t *testing.T) string {
	t.Helper()
	line, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func (c *child) dial(t *testing.T) net.Conn {
	t.Helper()
	nc, err := net.Dial("tcp", c.addr) // the backlog takes it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(patience))
	return nc
}

// TestEngine_SurvivesTheFileLimit has three times as many clients as the server may
// have files: those that do not fit are served after others have left.
func TestEngine_SurvivesTheFileLimit(t *testing.T) {
	c := startChild(t, "few files")
	var clients []net.Conn
	for i := range 3 * fewFiles {
		nc := c.dial(t)
		say(t, nc, fmt.Sprintln("client", i))
		clients = append(clients, nc)
	}
	for i, nc := range clients { // served in order of arrival
		want(t, nc, fmt.Sprintln("client", i))
		if i > 0 {
			say(t, clients[i-1], "still here\n") // the limit costs nobody a connection
			want(t, clients[i-1], "still here\n")
			clients[i-1].Close()
		}
	}
	c.in.Close()
	var files, accepted int
	if _, err := fmt.Sscan(c.line(t), &files, &accepted); err != nil {
		t.Fatal(err)
	}
	if files == 0 || accepted != len(clients) {
		t.Errorf("met the limit %d times, accepted %d, want some and %d", files, accepted, len(clients))
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
