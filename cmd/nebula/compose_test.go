//go:build compose

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// compose is the compose file of the repository, running as a project of its own.
type compose struct {
	t        *testing.T
	services []string // NEBULA_COMPOSE_SERVICES; none: all
}

const (
	composePort = "18080"
	composeAddr = "127.0.0.1:" + composePort
	// composePatience is for containers being made, on two cores.
	composePatience = 90 * time.Second
)

func (c *compose) run(args ...string) {
	c.t.Helper()
	name := []string{"docker", "compose"}
	if path, err := exec.LookPath("docker-compose"); err == nil {
		name = []string{path}
	}
	words := append(append(name, "-p", "nebulatest", "-f", "../../compose.yaml"), args...)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env = append(os.Environ(), "NEBULA_PORT="+composePort)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// up brings so many nodes up and says how long that took.
func (c *compose) up(nodes int) {
	c.t.Helper()
	began := time.Now()
	c.run(append([]string{"up", "-d", "--no-build", "--scale", "nebula=" + strconv.Itoa(nodes)}, c.services...)...)
	made := time.Since(began)
	c.until("the proxy says ready", func() bool { return c.status("/readyz") == http.StatusOK })
	ready := time.Since(began)
	c.until("all nodes are seen", func() bool { return c.query("count(last_over_time(nebula_connections[15s]))") == float64(nodes) })
	c.until("all nodes have joined", func() bool { return c.query("min(last_over_time(nebula_cluster_nodes[15s]))") == float64(nodes) })
	c.t.Logf("%d nodes: containers made after %.1f s, traffic taken after %.1f s", nodes, made.Seconds(), ready.Seconds())
}

// status is what the proxy answers with; 0: nothing.
func (c *compose) status(path string) int {
	answer, err := http.Get("http://" + composeAddr + path)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

func (c *compose) until(what string, done func() bool) {
	c.t.Helper()
	for end := time.Now().Add(composePatience); !done(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			c.t.Fatalf("waited in vain until %s", what)
		}
	}
}

// query asks Prometheus for one number; -1: it has none. It shows what is gone for five
// minutes more unless a query says otherwise.
func (c *compose) query(expression string) float64 {
	c.t.Helper()
	answer, err := http.Get("http://127.0.0.1:9090/api/v1/query?query=" + url.QueryEscape(expression))
	if err != nil {
		return -1
	}
	defer answer.Body.Close()
	var body struct {
		Data struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(answer.Body).Decode(&body); err != nil || len(body.Data.Result) != 1 {
		return -1
	}
	value, _ := body.Data.Result[0].Value[1].(string)
	number, err := strconv.ParseFloat(value, 64)
	if err != nil {
		return -1
	}
	return number
}

// docker runs one command of the engine.
func (c *compose) docker(args ...string) string {
	c.t.Helper()
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (c *compose) containers() []string {
	c.t.Helper()
	return strings.Fields(c.docker("ps", "-q", "--filter", "label=com.docker.compose.project=nebulatest",
		"--filter", "label=com.docker.compose.service=nebula"))
}

// history counts the messages of a room as each of several new connections sees them.
func (c *compose) history(room string, want int) {
	c.t.Helper()
	via := &server{t: c.t, addr: composeAddr}
	for range 6 {
		d := via.dial("")
		if e := d.join(room); len(e.Messages) != want {
			c.t.Errorf("node %s has %d messages of %s, want %d", d.me.Node, len(e.Messages), room, want)
		}
		d.conn.Close()
	}
}

// panels waits until every query of the dashboard has something to show.
func (c *compose) panels() {
	c.t.Helper()
	fill := strings.NewReplacer("$node", ".*", "$__rate_interval", "20s") // as Grafana does
	for _, p := range readDashboard(c.t, deployed+"/grafana/dashboards/nebula.json").Panels {
		for _, target := range p.Targets {
			c.until(p.Title+" shows something", func() bool { return c.query("count("+fill.Replace(target.Expr)+")") > 0 })
		}
	}
}

// TestCompose runs the compose file as its users do. The images must have been made.
func TestCompose(t *testing.T) {
	c := &compose{t: t, services: strings.Fields(os.Getenv("NEBULA_COMPOSE_SERVICES"))}
	c.run("down", "-v")
	t.Cleanup(func() { c.run("down", "-v") })
	c.up(3)

	browser := startBrowser(t)
	page := "http://" + composeAddr + "/#/lobby"
	tabs := []*tab{openTab(t, browser, page), openTab(t, browser, page)}
	for _, tb := range tabs {
		tb.offline = true // for a moment, when its node dies
		tb.joined("lobby")
		tb.people(2)
	}
	c.until("the tabs are on two nodes", func() bool { return c.query("count(last_over_time(nebula_members[15s]) > 0)") == 2 })
	tabs[0].say("hello from one node")
	tabs[1].messages(1)
	tabs[1].say("hello from the other")
	agree(t, tabs, 2)
	c.panels()

	nodes := c.containers()
	began := time.Now()
	c.docker("kill", nodes[0])
	for i, tb := range tabs {
		tb.say(fmt.Sprintf("after the kill, %d", i))
	}
	agree(t, tabs, 4)
	t.Logf("a node killed: both tabs went on within %.1f s", time.Since(began).Seconds())
	for _, tb := range tabs {
		tb.people(2)
	}

	c.up(5)
	c.history("lobby", 4)
	tabs[0].say("five nodes")
	agree(t, tabs, 5)

	c.up(2)
	for _, tb := range tabs {
		tb.wait(`document.querySelector('#status').dataset.state === 'online'`)
	}
	tabs[1].say("two nodes")
	agree(t, tabs, 6)

	c.run("stop", "redis")
	tabs[0].say("while the bus is away")
	c.until("no node is ready", func() bool { return c.status("/readyz") == http.StatusServiceUnavailable })
	c.history("lobby", 6) // who comes now is let in
	if status := c.status("/"); status != http.StatusOK {
		t.Errorf("without the bus the page is answered with %d", status)
	}
	c.run("start", "redis")
	agree(t, tabs, 7)
	for _, tb := range tabs {
		tb.close()
	}

	c.run("down")
	c.up(3)
	c.history("lobby", 7)
}
