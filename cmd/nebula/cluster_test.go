package main

import (
	"fmt"
	"log/slog"
	"nebula/persist"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// redisServer is a Redis of a test's own.
type redisServer struct {
	t    *testing.T
	addr string
	dir  string
	cmd  *exec.Cmd
}

func startRedis(t *testing.T) *redisServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &redisServer{t: t, addr: l.Addr().String(), dir: t.TempDir()}
	l.Close()
	r.start()
	t.Cleanup(r.kill)
	return r
}

func (r *redisServer) start() {
	r.t.Helper()
	_, port, _ := net.SplitHostPort(r.addr)
	r.cmd = exec.Command("redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", r.dir, "--save", "",
		"--appendonly", "yes", "--logfile", filepath.Join(r.dir, "log"))
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := r.cmd.Start(); err != nil {
		r.t.Fatalf("these tests need redis-server: %v", err)
	}
	for end := time.Now().Add(patience); !strings.HasPrefix(r.ask("PING"), "+PONG"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			r.t.Fatal("redis-server does not answer")
		}
	}
}

func (r *redisServer) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redisServer) url() string { return "redis://" + r.addr }

// ask makes one call and returns the answer's first bytes; "" if there is none.
func (r *redisServer) ask(words ...string) string {
	conn, err := net.Dial("tcp", r.addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second)) // shows in what follows
	if _, err := fmt.Fprintf(conn, "%s\r\n", strings.Join(words, " ")); err != nil {
		return ""
	}
	answer := make([]byte, 512)
	n, _ := conn.Read(answer)
	return string(answer[:n])
}

// startNode starts a server in a cluster and waits until it is ready.
func startNode(t *testing.T, r *redisServer, args ...string) *server {
	t.Helper()
	s := startServer(t, append([]string{"-redis", r.url(), "-secret", "a secret of the tests", "-shards", "8"}, args...)...)
	s.ready()
	return s
}

// ready waits until the node is; as main does, it goes on with a copied history.
func (s *server) ready() {
	s.t.Helper()
	s.await("readiness", func() bool {
		select {
		case <-s.renewed:
			s.renew()
		default:
		}
		return len(s.notReady()) == 0
	})
}

func (s *server) renew() {
	s.t.Helper()
	s.stop()
	if err := persist.Replace(s.folder, filepath.Join(s.folder, copyFolder)); err != nil {
		s.t.Fatal(err)
	}
	a, err := start(s.cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	s.app, s.addr, s.down = a, a.engine.Addr().String(), false
}

// TestCluster_OneOrder has members on three nodes say things at once.
func TestCluster_OneOrder(t *testing.T) {
	const nodes, each = 3, 50
	r := startRedis(t)
	var members []*client
	for i := range nodes {
		c := startNode(t, r, "-node", fmt.Sprint("node-", i)).dial("")
		c.join("lobby")
		members = append(members, c)
	}
	orders := make([][]string, nodes)
	var all sync.WaitGroup
	for i, c := range members {
		all.Go(func() {
			for n := range each {
				c.send(`{"type":"message","room":"lobby","id":"m-%d-%d","text":"hello"}`, i, n)
			}
			acks := 0
			for last := uint64(0); acks < each || len(orders[i]) < nodes*each; {
				switch e := c.next(); e.Type {
				case "ack":
					acks++
				case "message":
					if e.Seq != last+1 {
						t.Errorf("node %d: %d follows %d", i, e.Seq, last)
					}
					last = e.Seq
					orders[i] = append(orders[i], e.ID)
				case "error":
					t.Errorf("node %d: %+v", i, e)
					return
				}
			}
		})
	}
	all.Wait()
	for i := range orders {
		if strings.Join(orders[i], " ") != strings.Join(orders[0], " ") {
			t.Errorf("node %d has another order than node 0:\n%v\n%v", i, orders[i], orders[0])
		}
	}
}

// TestCluster_Presence follows people over two nodes.
func TestCluster_Presence(t *testing.T) {
	r := startRedis(t)
	one, two := startNode(t, r, "-node", "one"), startNode(t, r, "-node", "two")
	ann, bob := one.dial(""), two.dial("")
	ann.join("lobby")
	bob.join("lobby")
	ann.people(2)
	bob.people(2)
	// The same user on another node is no news, also when one of the two leaves.
	again := one.dial(bob.cookie)
	if again.join("lobby"); again.me.User != bob.me.User {
		t.Errorf("bob is %s, and on the other node %s", bob.me.User, again.me.User)
	}
	bob.send(`{"type":"typing","room":"lobby"}`)
	if e := ann.want("typing"); e.User != bob.me.User {
		t.Errorf("ann hears %+v, want that bob types", e)
	}
	bob.conn.Close()
	two.await("the end of bob's first connection", func() bool { return two.set.Stats().Members == 0 })
	again.send(`{"type":"leave","room":"lobby"}`)
	for {
		e := ann.want("presence")
		if len(e.Left) == 0 {
			continue // of those who came, herself among them
		}
		if e.Count != 1 || len(e.Left) != 1 || e.Left[0].User != bob.me.User {
			t.Errorf("ann hears %+v, want that bob left", e)
		}
		break
	}
}

// people asks until so many people are in the lobby.
func (c *client) people(count int64) {
	c.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		c.send(`{"type":"presence","room":"lobby"}`)
		e := c.want("users")
		if e.Count == count {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("%d people are in the room, want %d: %+v", e.Count, count, e.Users)
		}
	}
}

// TestCluster_ResendThroughAnotherNode is the case that a node dies after the bus took
// its message and before the ack: the client sends it again through another node.
func TestCluster_ResendThroughAnotherNode(t *testing.T) {
	r := startRedis(t)
	one, two := startNode(t, r, "-node", "one"), startNode(t, r, "-node", "two")
	a := one.dial("")
	a.join("lobby")
	first := a.say("lobby", "the-id", "said once")
	one.stop()
	b := two.dial(a.cookie)
	b.join("lobby")
	if again := b.say("lobby", "the-id", "said once"); again.Seq != first.Seq || again.Time != first.Time {
		t.Errorf("the resend is acked with %+v, the first was with %+v", again, first)
	}
	if e := b.join("lobby"); len(e.Messages) != 1 {
		t.Errorf("%d messages, want 1", len(e.Messages))
	}
}

// TestCluster_BusOutage takes the bus away and gives it back.
func TestCluster_BusOutage(t *testing.T) {
	r := startRedis(t)
	s := startNode(t, r)
	c := s.dial("")
	c.join("lobby")
	c.say("lobby", "before", "before")
	r.kill()
	c.send(`{"type":"message","room":"lobby","id":"kept","text":"kept"}`)
	if e := c.wantError("unavailable"); e.ID != "kept" || e.RetryMS == 0 {
		t.Errorf("got %+v, want unavailable with retry_ms", e)
	}
	s.await("unreadiness", func() bool { return s.notReady()["bus"] != "" })
	r.start()
	s.ready()
	if ack := c.say("lobby", "kept", "kept"); ack.Seq != 2 {
		t.Errorf("seq %d after the outage, want 2", ack.Seq)
	}
}

// TestCluster_AfterATimeAlone starts a node without the bus and then with it again: what
// was said alone, in an epoch above that of the bus, stays before what is said later.
func TestCluster_AfterATimeAlone(t *testing.T) {
	r, folder := startRedis(t), t.TempDir()
	said := []string{"with-others", "alone", "with-others-again"}
	for i, id := range said {
		args := []string{"-data", folder, "-secret", "a secret of the tests", "-shards", "8"}
		if i != 1 {
			args = append(args, "-redis", r.url())
		}
		s := startServer(t, args...)
		s.ready()
		c := s.dial("")
		c.join("lobby")
		if ack := c.say("lobby", id, id); ack.Seq != uint64(i+1) {
			t.Errorf("%q is acked with seq %d, want %d", id, ack.Seq, i+1)
		}
		s.stop()
	}
	s := startServer(t, "-data", folder, "-secret", "a secret of the tests")
	var got []string
	for _, m := range s.dial("").join("lobby").Messages {
		got = append(got, m.ID)
	}
	if !slices.Equal(got, said) {
		t.Errorf("the history is %q, want %q", got, said)
	}
}

// TestCluster_NewNodeCopiesHistory starts a node when the bus's log begins in the
// middle of the history.
func TestCluster_NewNodeCopiesHistory(t *testing.T) {
	const all = 30
	r := startRedis(t)
	one := startNode(t, r, "-node", "one")
	c := one.dial("")
	c.join("lobby")
	for i := range all {
		c.say("lobby", fmt.Sprint("id-", i), "text")
	}
	for i := range 8 {
		r.ask("XTRIM", "nebula:{"+strconv.Itoa(i)+"}:log", "MAXLEN", "1")
	}
	p := startProcess(t, "-redis", r.url(), "-secret", "a secret of the tests", "-shards", "8", "-node", "two", "-data", t.TempDir())
	d := p.dial("")
	if e := d.join("lobby"); len(e.Messages) != all || e.Seq != all {
		t.Errorf("the new node has %d messages up to %d, want %d", len(e.Messages), e.Seq, all)
	}
	c.say("lobby", "after", "after")
	if e := d.want("message"); e.ID != "after" || e.Seq != all+1 {
		t.Errorf("the new node hears %+v", e)
	}
}

// TestCluster_NewNodeCopiesWhatWasSaidAlone starts a cluster around a node that was used
// alone: the log never held what was said there.
func TestCluster_NewNodeCopiesWhatWasSaidAlone(t *testing.T) {
	one := []string{"-data", t.TempDir(), "-secret", "a secret of the tests", "-shards", "8", "-node", "one"}
	s := startServer(t, one...)
	c := s.dial("")
	c.join("lobby")
	c.say("lobby", "alone", "text")
	s.stop()
	r := startRedis(t)
	startServer(t, append(one, "-redis", r.url())...)
	two := startNode(t, r, "-node", "two") // at the same time
	if e := two.dial("").join("lobby"); len(e.Messages) != 1 || e.Messages[0].ID != "alone" {
		t.Errorf("the new node has %+v", e.Messages)
	}
}

// TestCluster_HistoryIsGuarded asks for a copy without the key.
func TestCluster_HistoryIsGuarded(t *testing.T) {
	s := startNode(t, startRedis(t))
	now := time.Now()
	for _, header := range []string{
		"", copyScheme, copyScheme + "1.00", copyScheme + copyToken([]byte("another key than that"), now.Unix()),
		copyScheme + copyToken([]byte("a secret of the tests"), now.Add(-time.Hour).Unix()),
	} {
		request, err := http.NewRequest(http.MethodGet, "http://"+s.adminPort.Addr().String()+"/cluster/history", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", header)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("%q is answered %s", header, answer.Status)
		}
	}
}

// TestCluster_RefusesOtherShards starts a node with another number of shards than the
// cluster has.
func TestCluster_RefusesOtherShards(t *testing.T) {
	r := startRedis(t)
	startNode(t, r)
	s := startServer(t, "-redis", r.url(), "-secret", "a secret of the tests", "-shards", "16")
	select {
	case err := <-s.failed:
		if !strings.Contains(err.Error(), "8") {
			t.Errorf("%v: does not tell how many the cluster has", err)
		}
	case <-time.After(patience):
		t.Error("a node with 16 shards was not refused by a cluster with 8")
	}
}
