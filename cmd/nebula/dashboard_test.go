package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// deployed is where the files of the compose file are.
const deployed = "../../deploy"

// dashboard is what Grafana reads of a dashboard's file, as far as these tests need it.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Templating    struct {
		List []struct {
			Name       string
			Datasource datasource
			Query      struct{ Query string }
		}
	}
	Panels []panel
}

type panel struct {
	ID          int
	Type, Title string
	Datasource  datasource
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct{ RefID, Expr, LegendFormat string }
}

type datasource struct{ Type, UID string }

// series is what a node of a cluster shows at /metrics: the labels by the name of each sample.
type series map[string][]string

// groups finds every match of pattern in text, with its groups.
func groups(pattern, text string) [][]string {
	return regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
}

func (s *server) series() series {
	s.t.Helper()
	all := series{"up": {"instance", "job"}} // Prometheus's own
	for _, line := range groups(`(?m)^(\w+)(?:\{(.*)\})? `, s.metrics()) {
		if all[line[1]] != nil {
			continue
		}
		all[line[1]] = []string{"instance", "job"} // which Prometheus adds
		for _, label := range groups(`(\w+)="`, line[2]) {
			all[line[1]] = append(all[line[1]], label[1])
		}
	}
	return all
}

// TestDashboard_AsksForWhatThereIs holds the dashboards in deploy against /metrics of a node in a cluster:
// a panel that asks for another name stays empty for ever.
func TestDashboard_AsksForWhatThereIs(t *testing.T) {
	all := startNode(t, startRedis(t)).series()
	files, err := filepath.Glob(deployed + "/grafana/dashboards/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d dashboards, %v", len(files), err)
	}
	for _, file := range files {
		d := readDashboard(t, file)
		for _, v := range d.Templating.List {
			found := groups(`^label_values\((\w+), (\w+)\)$`, v.Query.Query)
			if len(found) != 1 || !slices.Contains(all[found[0][1]], found[0][2]) {
				t.Errorf("variable %s: no node has %q", v.Name, v.Query.Query)
			}
		}
		for _, p := range d.Panels {
			for _, target := range p.Targets {
				all.check(t, p.Title, target.Expr, target.LegendFormat)
			}
		}
	}
}

// check finds every name and label of one query of a panel.
func (s series) check(t *testing.T, title, expr, legendFormat string) {
	t.Helper()
	selected := groups(`(\w+)\{([^}]*)\}`, expr)
	if len(selected) == 0 {
		t.Errorf("%s: %q selects nothing", title, expr)
	}
	var has []string
	for _, one := range selected {
		labels := s[one[1]]
		if labels == nil {
			t.Errorf("%s: no node has %s", title, one[1])
		}
		has = append(has, labels...)
		for _, m := range groups(`(\w+)(?:=~|=|!=|!~)"`, one[2]) {
			if labels != nil && !slices.Contains(labels, m[1]) {
				t.Errorf("%s: %s has no label %s", title, one[1], m[1])
			}
		}
	}
	var wanted []string
	for _, one := range groups(`by \(([^)]*)\)`, expr) {
		wanted = append(wanted, strings.Split(one[1], ", ")...)
	}
	for _, one := range groups(`\{\{(\w+)\}\}`, legendFormat) {
		wanted = append(wanted, one[1])
	}
	for _, name := range wanted {
		if !slices.Contains(has, name) {
			t.Errorf("%s: nothing in %q has a label %s", title, expr, name)
		}
	}
}

func readDashboard(t *testing.T, file string) dashboard {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(content, &d); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return d
}

// TestDashboard_Loads checks what Grafana needs to show a dashboard without asking: the data source that is
// provisioned, panels with numbers of their own that lie in its 24 columns and not on each other.
func TestDashboard_Loads(t *testing.T) {
	provisioned, err := os.ReadFile(deployed + "/grafana/provisioning/datasources/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	d := readDashboard(t, deployed+"/grafana/dashboards/nebula.json")
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 36 { // 36: data sources are named by uid
		t.Errorf("uid %q, title %q, schema %d", d.UID, d.Title, d.SchemaVersion)
	}
	sources := make([]datasource, 0, len(d.Panels))
	for _, v := range d.Templating.List {
		sources = append(sources, v.Datasource)
	}
	taken := map[[2]int]string{}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if p.Type != "row" {
			sources = append(sources, p.Datasource)
		}
		if p.ID == 0 || ids[p.ID] || (p.Type != "row") != (len(p.Targets) > 0) {
			t.Errorf("%s: id %d, type %s, %d queries", p.Title, p.ID, p.Type, len(p.Targets))
		}
		ids[p.ID] = true
		g := p.GridPos
		if g.W <= 0 || g.H <= 0 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s lies at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%s lies on %s", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	for _, source := range sources {
		if source.Type != "prometheus" || !strings.Contains(string(provisioned), "uid: "+source.UID+"\n") {
			t.Errorf("data source %+v is not provisioned", source)
		}
	}
}
