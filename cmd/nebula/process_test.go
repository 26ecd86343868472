package main

import (
	"bufio"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// asServer makes the test binary a Nebula; see TestMain.
const asServer = "NEBULA_TEST_SERVER"

// process is a Nebula in a process of its own, which signals can reach.
type process struct {
	*server // only what needs no app: dialling
	cmd     *exec.Cmd
	lines   chan string // of standard error; closed at its end
	reaped  sync.Once
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args = append([]string{"-addr", "127.0.0.1:0", "-admin", "", "-rate", "0", "-ip-rate", "0"}, args...)
	p := &process{cmd: exec.Command(self, args...), lines: make(chan string, 1000)}
	p.cmd.Env = append(os.Environ(), asServer+"=1")
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.lines)
		for in := bufio.NewScanner(out); in.Scan(); {
			p.lines <- in.Text()
		}
	}()
	p.server = &server{t: t}
	t.Cleanup(func() { p.signal(syscall.SIGKILL); p.wait() })
	ready := p.wantLine("msg=ready")
	p.addr = regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(ready)[1]
	return p
}

// wantLine reads the log until a line with the words.
func (p *process) wantLine(words string) string {
	p.t.Helper()
	for line := range p.lines {
		if strings.Contains(line, words) {
			return line
		}
	}
	p.t.Fatalf("the log ended without %q", words)
	return ""
}

func (p *process) signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) } // it may be gone already

// wait returns the exit code; -1 after a signal that killed it.
func (p *process) wait() int {
	p.reaped.Do(func() {
		for range p.lines { // until it ends: nothing is kept from being written
		}
		_ = p.cmd.Wait() // the code tells
	})
	return p.cmd.ProcessState.ExitCode()
}

// TestProcess_DrainUnderLoad sends SIGINT while eight clients send: everything that was accepted is acked
// and delivered, what comes later is refused as unavailable, everybody is told, the exit code is 0.
func TestProcess_DrainUnderLoad(t *testing.T) {
	data := t.TempDir()
	p := startProcess(t, "-data", data)
	const senders = 8
	watcher := p.dial("")
	watcher.join("r")
	outcomes := make([]drained, senders)
	var all sync.WaitGroup
	for i := range senders {
		c := p.dial("")
		c.join("r")
		all.Go(func() { outcomes[i] = c.floodUntilClosed(fmt.Sprint(i)) })
	}
	for range 200 { // in full flow
		watcher.want("message")
	}
	p.signal(syscall.SIGINT)
	seen := watcher.floodUntilClosed("")
	all.Wait()
	if code := p.wait(); code != exitOK {
		t.Fatalf("exit %d, want 0", code)
	}
	acked := 0
	for i, o := range outcomes {
		if !o.goodbye || o.code != 1012 {
			t.Errorf("sender %d: goodbye %v, close %d, want both and 1012", i, o.goodbye, o.code)
		}
		if len(o.acked) != len(o.own) {
			t.Errorf("sender %d: %d acked, but it saw %d of its own", i, len(o.acked), len(o.own))
		}
		acked += len(o.acked)
	}
	if len(seen.all)+200 != acked {
		t.Errorf("the watcher saw %d messages, %d were acked", len(seen.all)+200, acked)
	}

	again := startProcess(t, "-data", data)
	c := again.dial("")
	if j := c.join("r"); int(j.Seq) != acked {
		t.Errorf("history ends at %d after the restart, %d were acked", j.Seq, acked)
	}
	again.signal(syscall.SIGTERM) // c does not answer the close frame: nobody waits for it long
	if code := again.wait(); code != exitOK {
		t.Errorf("idle: exit %d, want 0", code)
	}
}

// drained is what a client saw until the end.
type drained struct {
	acked, own, all map[string]bool // ids
	goodbye         bool
	code            int
}

// floodUntilClosed sends one message after the other ("" as name: none) and notes what comes back.
func (c *client) floodUntilClosed(name string) drained {
	d := drained{acked: map[string]bool{}, own: map[string]bool{}, all: map[string]bool{}}
	n := 0
	say := func() {
		n++
		if name != "" && !d.goodbye {
			c.send(`{"type":"message","room":"r","id":"%s-%d","text":"x"}`, name, n)
		}
	}
	say()
	for {
		f, err := c.read()
		if err != nil {
			c.t.Errorf("client %q: %v before a close frame", name, err)
			return d
		}
		if f.Header.OpCode == 8 {
			d.code = int(f.Payload[0])<<8 | int(f.Payload[1])
			c.conn.Close()
			return d
		}
		switch e := decode(c.t, f.Payload); e.Type {
		case "goodbye":
			d.goodbye = e.RetryMS > 0 && e.Reason != ""
		case "ack":
			d.acked[e.ID] = true
			say()
		case "message":
			d.all[e.ID] = true
			if e.User == c.me.User {
				d.own[e.ID] = true
			}
		case "error":
			if e.Code != "unavailable" || e.RetryMS <= 0 {
				c.t.Errorf("client %q: %+v, want unavailable", name, e)
			}
		}
	}
}

// stuck dials a client that asks for far more than it reads, so that bytes for it wait in the server.
func (p *process) stuck() {
	p.t.Helper()
	c := p.dial("")
	c.join("r")
	for n := range 100 {
		c.say("r", fmt.Sprint("long-", n), strings.Repeat("x", 4000))
	}
	for range 60 { // about 400 KB each, more than the kernel's buffers hold
		c.send(`{"type":"history","room":"r","limit":200}`)
	}
	late := p.dial("") // its answer comes after those were handled
	late.send(`{"type":"ping"}`)
	late.want("pong")
	late.conn.Close()
}

// TestProcess_DrainPastItsTime has a client that never reads: it is cut, and the exit code says so.
func TestProcess_DrainPastItsTime(t *testing.T) {
	p := startProcess(t, "-data", t.TempDir(), "-drain", "4s")
	p.stuck()
	p.signal(syscall.SIGTERM)
	p.wantLine("draining")
	late := dialRaw(t, p.addr)
	late.write(p.upgradeHead(""))
	if answer := late.head(); !strings.HasPrefix(answer, "HTTP/1.1 503 ") {
		t.Errorf("an upgrade while draining got %q", answer)
	}
	answer, err := http.Get("http://" + p.addr + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("/readyz while draining: %d", answer.StatusCode)
	}
	p.wantLine("connections were cut")
	if code := p.wait(); code != exitFail {
		t.Errorf("exit %d, want 1", code)
	}
}

func TestProcess_SecondSignalStopsAtOnce(t *testing.T) {
	p := startProcess(t, "-data", t.TempDir(), "-drain", "1h")
	p.stuck()
	p.signal(syscall.SIGTERM)
	p.wantLine("draining")
	p.signal(syscall.SIGINT)
	if code := p.wait(); code != exitFail {
		t.Errorf("exit %d, want 1", code)
	}
}

// TestProcess_KilledLosesNoAckedMessage is the short form of the next issue's fault run.
func TestProcess_KilledLosesNoAckedMessage(t *testing.T) {
	data := t.TempDir()
	acked := map[string]uint64{}
	cookie := ""
	for round := range 5 {
		p := startProcess(t, "-data", data)
		c := p.dial(cookie)
		cookie = c.cookie
		if j := c.join("r"); int(j.Seq) < len(acked) {
			t.Fatalf("round %d: history ends at %d, %d were acked", round, j.Seq, len(acked))
		}
		for id, seq := range acked {
			if again := c.say("r", id, "again"); again.Seq != seq {
				t.Fatalf("round %d: %s was acked as %d, a resend as %d", round, id, seq, again.Seq)
			}
		}
		for n := range 100 {
			id := fmt.Sprintf("%d-%d", round, n)
			acked[id] = c.say("r", id, "x").Seq
		}
		for n := range 50 { // on their way when it dies
			c.send(`{"type":"message","room":"r","id":"lost-%d-%d","text":"x"}`, round, n)
		}
		p.signal(syscall.SIGKILL)
		p.wait()
	}
}
