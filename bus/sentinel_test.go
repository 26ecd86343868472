package bus

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// watched is a master, its replica and three Sentinels, all of which ask for passwords.
type watched struct {
	master, replica *server
	sentinels       []*server
}

const watchedPass, sentinelPass = "default's", "sentinels'"

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{master: newStored(t)}
	w.replica = newStored(t, "--replicaof", "127.0.0.1", strconv.Itoa(w.master.port))
	eventually(t, "the replica follows", func() bool {
		return strings.Contains(w.replica.must("INFO", "replication"), "master_link_status:up")
	})
	for range 3 {
		w.sentinels = append(w.sentinels, newSentinel(t, w.master))
	}
	for _, s := range w.sentinels {
		eventually(t, "the Sentinels know each other and the replica", func() bool {
			return strings.Contains(s.must("INFO", "sentinel"), "slaves=1,sentinels=3")
		})
	}
	return w
}

// newStored starts a server that may be master or replica, with the user that the nodes are.
func newStored(t *testing.T, args ...string) *server {
	t.Helper()
	s := newServer(t, append([]string{
		"--requirepass", watchedPass, "--masterauth", watchedPass,
		"--repl-diskless-sync-delay", "0",
	}, args...)...)
	s.pass = watchedPass
	s.must(append([]string{"ACL", "SETUSER", "nebula", "on", ">secret", "~nebula:*", "&nebula:*"}, strings.Fields(rights)...)...)
	return s
}

func newSentinel(t *testing.T, master *server) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir(), port: freePort(t), args: []string{"--sentinel"}}
	s.file = filepath.Join(s.dir, "sentinel.conf") // it writes there
	config := fmt.Sprintf(`requirepass "%s"
sentinel sentinel-pass "%s"
sentinel monitor main 127.0.0.1 %d 2
sentinel auth-pass main "%s"
sentinel down-after-milliseconds main 500
sentinel failover-timeout main 3000
`, sentinelPass, sentinelPass, master.port, watchedPass)
	if err := os.WriteFile(s.file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.pass = sentinelPass
	t.Cleanup(s.kill)
	return s
}

func (w *watched) url() string {
	hosts := make([]string, len(w.sentinels))
	for i, s := range w.sentinels {
		hosts[i] = s.addr()
	}
	return "redis://nebula:secret@" + strings.Join(hosts, ",") + "/5?sentinel=main&sentinel_password=sentinels%27"
}

// The master dies, and a Sentinel with it. The replica, which takes over, has not the
// newest entries: the nodes put them back.
func TestRedis_SentinelsChangeTheMaster(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	nodes := newCluster(t, w.url(), 2, 2)
	rooms := []string{"room0", "room1"}
	var a acks
	chat(t, nodes, rooms, "kept", 20, &a).Wait()
	agree(t, nodes, &a)
	w.replica.must("CONFIG", "SET", "masterauth", "wrong")
	w.master.must("CLIENT", "KILL", "TYPE", "replica")
	chat(t, nodes, rooms, "lost", 20, &a).Wait()
	agree(t, nodes, &a)
	before := nodes[0].Place(0)
	if n, _ := strconv.ParseUint(w.replica.must("EVAL_RO", "redis.call('SELECT', 5) return redis.call('HGET', KEYS[1], 'n')", "1", "nebula:{0}:meta"), 10, 64); n == 0 || n >= before.N {
		t.Fatalf("the replica has %d entries of %d, want some", n, before.N)
	}
	talk := chat(t, nodes, rooms, "during", 20, &a)
	w.sentinels[0].kill()
	w.master.kill()
	eventually(t, "the replica is master", func() bool { // it cuts its clients when it becomes that: a Sentinel tells
		return strings.Contains(w.sentinels[1].must("INFO", "sentinel"), "address="+w.replica.addr())
	})
	talk.Wait()
	chat(t, nodes, rooms, "after", 20, &a).Wait()
	for _, n := range nodes {
		n.ready(t)
	}
	agree(t, nodes, &a)
	onePast(t, nodes)
	if after := nodes[0].Place(0); after.Epoch <= before.Epoch || after.N <= before.N {
		t.Errorf("the place was %v and is %v, want a later epoch and entry", before, after)
	}
	late := newNode(t, w.url(), "late", 2) // the log has all again
	late.ready(t)
	agree(t, append(nodes, late), &a)
}
