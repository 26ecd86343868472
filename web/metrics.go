package web

import (
	"maps"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// Registry returns a registry of its own with Nebula's metrics, taken from
// snapshot at every scrape, and the Go and process collectors. snapshot is
// called on net/http's goroutines, several at once.
func Registry(snapshot func() Snapshot, build BuildInfo) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(
		&collector{snapshot: snapshot, build: build, known: knownLabels()},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return r
}

// collector makes metrics of a Snapshot. It is unchecked (Describe sends
// nothing), because which metrics exist depends on the snapshot: bus or not.
type collector struct {
	// Static after construction.
	snapshot func() Snapshot
	build    BuildInfo
	known    map[string][]string // label values that exist from the start, by metric
}

func knownLabels() map[string][]string {
	return map[string][]string{
		"nebula_connections_rejected_total": RejectReasons(),
		"nebula_disconnects_total":          DisconnectReasons(),
		"nebula_messages_total":             MessageResults(),
		"nebula_ratelimit_rejections_total": RateScopes(),
	}
}

// Describe sends nothing; see collector.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends one snapshot.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	s := c.snapshot()
	c.collectClients(ch, &s)
	c.collectMessages(ch, &s)
	c.collectPersist(ch, &s)
	if s.Bus != nil {
		collectBus(ch, s.Bus)
	}
	ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("nebula_build_info",
		"What is running; the value is always 1.", []string{"version", "commit", "goversion"}, nil),
		prometheus.GaugeValue, 1, c.build.Version, c.build.Commit, c.build.GoVersion)
}

func (c *collector) collectClients(ch chan<- prometheus.Metric, s *Snapshot) {
	gauge(ch, "nebula_connections", "Open connections.", float64(s.Connections))
	counter(ch, "nebula_connections_total", "Connections accepted.", s.ConnectionsTotal)
	c.counters(ch, "nebula_connections_rejected_total", "Connections and upgrades refused.", "reason", s.Rejected)
	c.counters(ch, "nebula_disconnects_total", "Connections ended.", "reason", s.Disconnects)
	gauge(ch, "nebula_rooms", "Rooms in memory.", float64(s.Rooms))
	gauge(ch, "nebula_members", "Rooms joined, summed over connections.", float64(s.Members))
	counter(ch, "nebula_bytes_received_total", "Bytes read from sockets.", s.BytesReceived)
	counter(ch, "nebula_bytes_sent_total", "Bytes written to sockets.", s.BytesSent)
	counter(ch, "nebula_writes_total", "Write system calls.", s.Writes)
	gauge(ch, "nebula_send_queue_bytes", "Unsent bytes queued for sockets.", float64(s.SendQueueBytes))
	counter(ch, "nebula_slow_consumers_total", "Connections closed because they read too slowly.", s.SlowConsumers)
	c.counters(ch, "nebula_ratelimit_rejections_total", "Messages and upgrades past a rate limit.", "scope", s.RateLimited)
	counter(ch, "nebula_cookie_rejections_total", "Session cookies not believed.", s.CookieRejections)
}

func (c *collector) collectMessages(ch chan<- prometheus.Metric, s *Snapshot) {
	c.counters(ch, "nebula_messages_total", "Messages from clients.", "result", s.Messages)
	counter(ch, "nebula_deliveries_total", "Messages handed to members' sockets.", s.Deliveries)
	histogram(ch, "nebula_delivery_seconds", "From a message read to its bytes handed to the kernel.", s.Delivery)
	histogram(ch, "nebula_ack_seconds", "From a message read to its ack.", s.Ack)
	indexed(ch, "nebula_loop_busy_ratio", "Share of time an event loop did not wait.", "loop", s.LoopBusy)
	queues := make([]float64, len(s.ShardQueue))
	for i, n := range s.ShardQueue {
		queues[i] = float64(n)
	}
	indexed(ch, "nebula_shard_queue", "Commands waiting in a shard's mailbox.", "shard", queues)
}

func (c *collector) collectPersist(ch chan<- prometheus.Metric, s *Snapshot) {
	gauge(ch, "nebula_persist_queue", "Messages waiting for the database.", float64(s.PersistQueue))
	histogram(ch, "nebula_persist_commit_seconds", "Time of a database transaction.", s.PersistCommit)
	histogram(ch, "nebula_persist_batch_size", "Messages in a database transaction.", s.PersistBatch)
	counter(ch, "nebula_persist_errors_total", "Database transactions that failed.", s.PersistErrors)
}

func collectBus(ch chan<- prometheus.Metric, s *BusSnapshot) {
	connected := 0.0
	if s.Connected {
		connected = 1
	}
	gauge(ch, "nebula_bus_connected", "1 while the cluster bus answers.", connected)
	histogram(ch, "nebula_bus_publish_seconds", "Time to publish a batch on the bus.", s.Publish)
	histogram(ch, "nebula_bus_lag_seconds", "From a message published to its arrival here.", s.Lag)
	counter(ch, "nebula_bus_gaps_total", "Holes noticed in what the bus delivered.", s.Gaps)
	counter(ch, "nebula_bus_refilled_total", "Entries read from the bus's log to fill holes.", s.Refilled)
	gauge(ch, "nebula_cluster_nodes", "Nodes with a lease.", float64(s.Nodes))
}

func gauge(ch chan<- prometheus.Metric, name, help string, v float64) {
	ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, v)
}

func counter(ch chan<- prometheus.Metric, name, help string, v uint64) {
	ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue, float64(v))
}

// counters sends one counter for each known and each found value of label.
func (c *collector) counters(ch chan<- prometheus.Metric, name, help, label string, found map[string]uint64) {
	desc := prometheus.NewDesc(name, help, []string{label}, nil)
	known := c.known[name]
	for _, value := range known {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(found[value]), value)
	}
	for _, value := range slices.Sorted(maps.Keys(found)) {
		if !slices.Contains(known, value) {
			ch <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, float64(found[value]), value)
		}
	}
}

// indexed sends one gauge for each entry of values, labelled with its index.
func indexed(ch chan<- prometheus.Metric, name, help, label string, values []float64) {
	desc := prometheus.NewDesc(name, help, []string{label}, nil)
	for i, v := range values {
		ch <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, strconv.Itoa(i))
	}
}

func histogram(ch chan<- prometheus.Metric, name, help string, h Histogram) {
	buckets := make(map[float64]uint64, len(h.Bounds))
	var count uint64
	for i, n := range h.Counts {
		count += n
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = count
		}
	}
	ch <- prometheus.MustNewConstHistogram(prometheus.NewDesc(name, help, nil, nil), count, h.Sum, buckets)
}
