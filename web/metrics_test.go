package web

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// listed are the metrics of operations.md with their kind; the bus's last.
var listed = []struct{ name, kind string }{
	{"nebula_connections", "gauge"},
	{"nebula_connections_total", "counter"},
	{"nebula_connections_rejected_total", "counter"},
	{"nebula_disconnects_total", "counter"},
	{"nebula_rooms", "gauge"},
	{"nebula_members", "gauge"},
	{"nebula_messages_total", "counter"},
	{"nebula_deliveries_total", "counter"},
	{"nebula_delivery_seconds", "histogram"},
	{"nebula_bytes_received_total", "counter"},
	{"nebula_bytes_sent_total", "counter"},
	{"nebula_writes_total", "counter"},
	{"nebula_send_queue_bytes", "gauge"},
	{"nebula_slow_consumers_total", "counter"},
	{"nebula_loop_busy_ratio", "gauge"},
	{"nebula_shard_queue", "gauge"},
	{"nebula_persist_queue", "gauge"},
	{"nebula_persist_commit_seconds", "histogram"},
	{"nebula_persist_batch_size", "histogram"},
	{"nebula_persist_errors_total", "counter"},
	{"nebula_ack_seconds", "histogram"},
	{"nebula_ratelimit_rejections_total", "counter"},
	{"nebula_cookie_rejections_total", "counter"},
	{"nebula_build_info", "gauge"},
	{"nebula_bus_connected", "gauge"},
	{"nebula_bus_publish_seconds", "histogram"},
	{"nebula_bus_lag_seconds", "histogram"},
	{"nebula_bus_gaps_total", "counter"},
	{"nebula_bus_refilled_total", "counter"},
	{"nebula_cluster_nodes", "gauge"},
}

func busMetric(name string) bool {
	return strings.HasPrefix(name, "nebula_bus_") || strings.HasPrefix(name, "nebula_cluster_")
}

// exposition scrapes s as Prometheus would.
func exposition(t *testing.T, s Snapshot) string {
	t.Helper()
	h := Admin(AdminConfig{Metrics: Registry(func() Snapshot { return s }, BuildInfo{"v1", "abc", "go1"})})
	r := ask(h, "GET", "/metrics", "")
	body := bodyOf(t, r)
	if r.StatusCode != 200 {
		t.Fatalf("got %d %s", r.StatusCode, body)
	}
	return body
}

func fullSnapshot() Snapshot {
	h := Histogram{Bounds: []float64{.001, .01}, Counts: []uint64{3, 2, 1}, Sum: .5}
	return Snapshot{
		Connections: 7, ConnectionsTotal: 9, Rooms: 2, Members: 8,
		Rejected:    map[string]uint64{"origin": 3, "surprise": 1},
		Disconnects: map[string]uint64{"idle": 2},
		Messages:    map[string]uint64{"accepted": 6},
		RateLimited: map[string]uint64{"user": 1},
		Delivery:    h, Ack: h, PersistCommit: h, PersistBatch: Histogram{Bounds: []float64{1, 10}, Counts: []uint64{1, 1, 0}, Sum: 6},
		LoopBusy: []float64{.25, .5}, ShardQueue: []int{0, 4},
		Bus: &BusSnapshot{Connected: true, Publish: h, Lag: h, Nodes: 3},
	}
}

func TestRegistry_NamesAndKinds(t *testing.T) {
	for _, bus := range []bool{true, false} {
		s := fullSnapshot()
		if !bus {
			s.Bus = nil
		}
		var got []string
		for line := range strings.Lines(exposition(t, s)) {
			if rest, ok := strings.CutPrefix(line, "# TYPE nebula_"); ok {
				got = append(got, "nebula_"+strings.TrimSpace(rest))
			}
		}
		var want []string
		for _, m := range listed {
			if bus || !busMetric(m.name) {
				want = append(want, m.name+" "+m.kind)
			}
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("bus %v:\n got %q\nwant %q", bus, got, want)
		}
	}
}

func TestRegistry_Lint(t *testing.T) {
	for name, s := range map[string]Snapshot{"full": fullSnapshot(), "zero": {}} {
		problems, err := promlint.New(strings.NewReader(exposition(t, s))).Lint()
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if strings.HasPrefix(p.Metric, "nebula_") { // Go's own are not ours to name
				t.Errorf("%s: %s: %s", name, p.Metric, p.Text)
			}
		}
	}
}

func TestRegistry_Values(t *testing.T) {
	text := exposition(t, fullSnapshot())
	for _, want := range []string{
		"nebula_connections 7",
		"nebula_connections_total 9",
		`nebula_connections_rejected_total{reason="origin"} 3`,
		`nebula_connections_rejected_total{reason="surprise"} 1`,
		`nebula_messages_total{result="accepted"} 6`,
		`nebula_delivery_seconds_bucket{le="0.001"} 3`,
		`nebula_delivery_seconds_bucket{le="0.01"} 5`,
		`nebula_delivery_seconds_bucket{le="+Inf"} 6`,
		"nebula_delivery_seconds_sum 0.5",
		"nebula_delivery_seconds_count 6",
		`nebula_loop_busy_ratio{loop="1"} 0.5`,
		`nebula_shard_queue{shard="1"} 4`,
		"nebula_bus_connected 1",
		`nebula_build_info{commit="abc",goversion="go1",version="v1"} 1`,
		"go_goroutines ",
		"process_open_fds ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestRegistry_KnownLabelsFromTheStart(t *testing.T) {
	text := exposition(t, Snapshot{})
	for metric, values := range map[string][]string{
		"nebula_connections_rejected_total{reason": RejectReasons(),
		"nebula_disconnects_total{reason":          DisconnectReasons(),
		"nebula_messages_total{result":             MessageResults(),
		"nebula_ratelimit_rejections_total{scope":  RateScopes(),
	} {
		for _, v := range values {
			if want := metric + `="` + v + `"} 0`; !strings.Contains(text, want) {
				t.Errorf("%q is missing", want)
			}
		}
	}
	if strings.Contains(text, "nebula_bus_") {
		t.Error("bus metrics without a bus")
	}
}

func TestRegistry_IsItsOwn(t *testing.T) {
	snapshot := func() Snapshot { return Snapshot{} }
	Registry(snapshot, BuildInfo{})
	Registry(snapshot, BuildInfo{})
	families, err := prometheus.DefaultGatherer.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if strings.HasPrefix(f.GetName(), "nebula_") {
			t.Errorf("%s is in the default registry", f.GetName())
		}
	}
}
