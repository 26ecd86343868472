package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// nodePrefix and the number of the start make the node's name.
const nodePrefix = "start-"

// How often a server is asked whether it takes traffic, and how long an answer may take.
const (
	askEvery     = 20 * time.Millisecond
	answerWithin = 5 * time.Second
)

// keptLines is how much of a log is remembered.
const keptLines = 30

// Config says what to run.
type Config struct {
	Binary string
	Node   string   // its name in all its lives; "": each has a name of its own, see StartOf
	Args   []string // besides -addr and -node
}

// Server is one server, now and in its earlier and later lives. Its methods but
// Addr belong to one goroutine.
type Server struct {
	// Static after construction.
	cfg Config

	// Owned by the caller's goroutine.
	starts int
	life   *life // the last one, ended or not

	// Guarded by mu.
	mu   sync.Mutex
	addr string // where it listens; "" while it does not
}

// life is one process.
type life struct {
	cmd   *exec.Cmd
	ready chan struct{}     // closed when it takes traffic
	moved func(addr string) // called by read when it takes traffic, and again if it does at another address
	ended chan struct{}     // closed when it was waited for

	// Guarded by mu.
	mu    sync.Mutex
	lines []string // the last of its log
	panic string   // the line that says that it panicked
}

// New returns a server that does not run.
func New(cfg Config) *Server { return &Server{cfg: cfg} }

// Starts is how many times it was started.
func (s *Server) Starts() int { return s.starts }

// Addr is where it listens, "" while it does not as far as we know. It may be
// called from any goroutine.
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

func (s *Server) setAddr(addr string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.addr = addr
}

// StartOf is the number of the start that a node's name tells.
func StartOf(node string) (start int, ok bool) {
	digits, ok := strings.CutPrefix(node, nodePrefix)
	if !ok {
		return 0, false
	}
	start, err := strconv.Atoi(digits)
	return start, err == nil
}

// Launch starts it with more environment, and does not wait.
func (s *Server) Launch(env ...string) error {
	if s.life != nil && !s.life.isOver() {
		return errors.New("server: it runs already")
	}
	s.starts++
	node := s.cfg.Node
	if node == "" {
		node = nodePrefix + strconv.Itoa(s.starts)
	}
	args := append([]string{"-addr", "127.0.0.1:0", "-node", node}, s.cfg.Args...)
	l := &life{
		cmd: exec.Command(s.cfg.Binary, args...), ready: make(chan struct{}), moved: s.setAddr, ended: make(chan struct{}),
	}
	l.cmd.Env = append(os.Environ(), env...)
	log, err := l.cmd.StderrPipe()
	if err != nil {
		return fmt.Errorf("server: %w", err)
	}
	if err := l.cmd.Start(); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	s.life = l
	go l.read(log)
	return nil
}

// Ready waits until it takes traffic.
func (s *Server) Ready(within time.Duration) error {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	select {
	case <-s.life.ready:
		return nil
	case <-s.life.ended:
		return fmt.Errorf("server: start %d ended (%v) before it was ready:\n%s", s.starts, s.life.cmd.ProcessState, s.Log())
	case <-deadline.C:
		return fmt.Errorf("server: start %d was not ready within %v:\n%s", s.starts, within, s.Log())
	}
}

// Serves waits until it says over HTTP that it takes traffic; it may have said so before.
func (s *Server) Serves(within time.Duration) error {
	client := http.Client{Timeout: answerWithin, Transport: &http.Transport{DisableKeepAlives: true}}
	why := "it has no address"
	for deadline := time.Now().Add(within); ; time.Sleep(askEvery) {
		if addr := s.Addr(); addr != "" {
			answer, err := client.Get("http://" + addr + "/readyz")
			if err != nil {
				why = err.Error()
			} else {
				body, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<12)) // for people
				answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					return nil
				}
				why = strings.TrimSpace(string(body))
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("server: start %d does not take traffic after %v: %s\n%s", s.starts, within, why, s.Log())
		}
	}
}

// Signal sends it a signal, if it still is.
func (s *Server) Signal(sig syscall.Signal) error {
	if err := s.life.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("server: %w", err)
	}
	return nil
}

// Wait waits for its end and returns the exit code, -1 after a signal that killed it.
func (s *Server) Wait(within time.Duration) (code int, err error) {
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	select {
	case <-s.life.ended:
		s.setAddr("")
		return s.life.cmd.ProcessState.ExitCode(), nil
	case <-deadline.C:
		return 0, fmt.Errorf("server: start %d did not end within %v:\n%s", s.starts, within, s.Log())
	}
}

// Kill ends it as kill -9 does.
func (s *Server) Kill(within time.Duration) error {
	if err := s.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	_, err := s.Wait(within)
	return err
}

// Over tells whether the last process has ended.
func (s *Server) Over() bool { return s.life == nil || s.life.isOver() }

// Panic is the line in which the last process said that it panicked, "" if it did not.
func (s *Server) Panic() string {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	return s.life.panic
}

// Log is the end of the last process's log.
func (s *Server) Log() string {
	s.life.mu.Lock()
	defer s.life.mu.Unlock()
	return strings.Join(s.life.lines, "\n")
}

// Close kills it if it runs.
func (s *Server) Close() error {
	if s.Over() {
		return nil
	}
	const within = 10 * time.Second
	return s.Kill(within)
}

func (l *life) isOver() bool {
	select {
	case <-l.ended:
		return true
	default:
		return false
	}
}

// readyLine is what the server says when it takes traffic; operations.md.
var readyLine = regexp.MustCompile(`msg=ready addr=(\S+)`)

// read keeps the end of the log and waits for the process behind it.
func (l *life) read(log io.Reader) {
	in := bufio.NewReader(log)
	for {
		line, err := in.ReadString('\n')
		if line != "" {
			l.note(strings.TrimSuffix(line, "\n"))
		}
		if err != nil {
			break
		}
	}
	_ = l.cmd.Wait() // ProcessState tells
	close(l.ended)
}

func (l *life) note(line string) {
	if found := readyLine.FindStringSubmatch(line); found != nil {
		l.moved(found[1])
		select {
		case <-l.ready:
		default:
			close(l.ready)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.panic == "" && (strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ")) {
		l.panic = line
	}
	if len(l.lines) == keptLines {
		l.lines = l.lines[1:]
	}
	l.lines = append(l.lines, line)
}
