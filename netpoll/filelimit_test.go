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

// serveFewFiles is a child process: an engine that may have few files open. It tells
// its address, and its counters when its input ends.
func serveFewFiles() {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	limit := syscall.Rlimit{Cur: fewFiles, Max: fewFiles}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		fail(err)
	}
	e, err := Listen(Config{Addr: "127.0.0.1:0", Handler: func(int) Handler { return &funcs{data: lines} }})
	if err != nil {
		fail(err)
	}
	fmt.Println(e.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	fmt.Println(e.Stats().RejectedFiles, e.Stats().Accepted)
	if err := e.Close(context.Background()); err != nil {
		fail(err)
	}
}

// TestEngine_SurvivesTheFileLimit has three times as many clients as the server may
// have files: those that do not fit are served after others have left.
func TestEngine_SurvivesTheFileLimit(t *testing.T) {
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childEnv+"=few files")
	child.Stderr = os.Stderr
	in, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	out := bufio.NewReader(pipe)
	addr, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	var clients []net.Conn
	for i := range 3 * fewFiles {
		nc, err := net.Dial("tcp", strings.TrimSpace(addr)) // the backlog takes it
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(patience))
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
	in.Close()
	var files, accepted int
	if _, err := fmt.Fscan(out, &files, &accepted); err != nil {
		t.Fatal(err)
	}
	if files == 0 || accepted != len(clients) {
		t.Errorf("met the limit %d times, accepted %d, want some and %d", files, accepted, len(clients))
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}
