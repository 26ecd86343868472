package redis

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// How long to wait for it, on a slow machine.
const (
	upWithin     = 20 * time.Second
	endWithin    = 10 * time.Second
	answerWithin = 5 * time.Second
)

// Names in the folder.
const (
	socketName = "socket"
	logName    = "log"
	fileName   = "appendonlydir"
	savedName  = "saved"
)

// Server is one redis-server, now and in its earlier and later lives. It belongs to
// one goroutine.
type Server struct {
	dir   string
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process was waited for; nil: there was none yet
}

// New returns a server that does not run, whose files are in dir. The path is to be
// short: a Unix socket's has at most 107 bytes.
func New(dir string) *Server { return &Server{dir: dir} }

// Socket is where it listens.
func (s *Server) Socket() string { return filepath.Join(s.dir, socketName) }

// Start starts it, and waits until it answers.
func (s *Server) Start() error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", s.Socket(), "--dir", s.dir,
		"--logfile", filepath.Join(s.dir, logName), "--save", "", "--appendonly", "yes", "--auto-aof-rewrite-percentage", "0")
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	s.ended = make(chan struct{})
	go func(cmd *exec.Cmd, ended chan struct{}) {
		_ = cmd.Wait() // how it ended does not matter
		close(ended)
	}(s.cmd, s.ended)
	for end := time.Now().Add(upWithin); ; time.Sleep(5 * time.Millisecond) {
		answer, err := s.Ask("PING")
		switch {
		case err == nil && answer == "+PONG":
			return nil
		case s.over():
			return fmt.Errorf("redis: it ended at once:\n%s", s.Log())
		case time.Now().After(end):
			return fmt.Errorf("redis: no answer within %v: %q, %w\n%s", upWithin, answer, err, s.Log())
		}
	}
}

// Ask makes one call and returns the first line of its answer. A word has no space.
func (s *Server) Ask(words ...string) (string, error) {
	conn, err := net.DialTimeout("unix", s.Socket(), answerWithin)
	if err != nil {
		return "", fmt.Errorf("redis: %w", err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(answerWithin)); err != nil {
		return "", fmt.Errorf("redis: %w", err)
	}
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return "", fmt.Errorf("redis: %w", err)
	}
	b := make([]byte, 4096)
	n, err := conn.Read(b)
	if err != nil {
		return "", fmt.Errorf("redis: %s: %w", words[0], err)
	}
	line, _, _ := bytes.Cut(b[:n], []byte("\r\n"))
	if line[0] == '-' {
		return "", fmt.Errorf("redis: %s: %s", words[0], line[1:])
	}
	return string(line), nil
}

// Signal sends it a signal, if it still is.
func (s *Server) Signal(sig syscall.Signal) error {
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Kill ends it as kill -9 does.
func (s *Server) Kill() error {
	if err := s.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(endWithin):
		return fmt.Errorf("redis: it did not end within %v", endWithin)
	}
}

func (s *Server) over() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// Empty removes all that it knows; it must not run.
func (s *Server) Empty() error {
	if err := os.RemoveAll(filepath.Join(s.dir, fileName)); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Save keeps a copy of all that it knows.
func (s *Server) Save() error {
	saved := filepath.Join(s.dir, savedName)
	if err := os.RemoveAll(saved); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	if err := os.CopyFS(saved, os.DirFS(filepath.Join(s.dir, fileName))); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Restore has it know what it knew when it was saved; it must not run.
func (s *Server) Restore() error {
	if err := s.Empty(); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(s.dir, fileName), os.DirFS(filepath.Join(s.dir, savedName))); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}

// Log is the end of its log.
func (s *Server) Log() string {
	const most = 2000 // bytes
	f, err := os.Open(filepath.Join(s.dir, logName))
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	all, err := io.ReadAll(f)
	if err != nil {
		return err.Error()
	}
	return string(all[max(0, len(all)-most):])
}

// Close kills it if it runs.
func (s *Server) Close() error {
	if s.ended == nil || s.over() {
		return nil
	}
	return s.Kill()
}
