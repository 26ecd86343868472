package web

// Snapshot is every number of operations.md "Metrics" at one moment. Counters
// count since the process started and never go down. Maps are by the value of
// their label; a known value that is missing counts as 0, one that is not known
// is shown too.
type Snapshot struct {
	Connections      int64             // open now
	ConnectionsTotal uint64            // upgraded or handed to HTTP
	Rejected         map[string]uint64 // by reason, see RejectReasons
	Disconnects      map[string]uint64 // by reason, see DisconnectReasons

	Rooms   int64 // in memory
	Members int64 // a connection counts once for each room it joined

	Messages   map[string]uint64 // by result, see MessageResults
	Deliveries uint64
	Delivery   Histogram // seconds from the message read to its bytes handed to the kernel
	Ack        Histogram // seconds from the message read to its ack

	BytesReceived  uint64
	BytesSent      uint64
	Writes         uint64 // write system calls
	SendQueueBytes int64  // waiting for slow sockets
	SlowConsumers  uint64 // closed with 1013

	LoopBusy   []float64 // by loop: 0 to 1
	ShardQueue []int     // by shard: commands waiting

	PersistQueue  int64
	PersistCommit Histogram // seconds a batch
	PersistBatch  Histogram // messages a batch
	PersistErrors uint64

	RateLimited      map[string]uint64 // by scope, see RateScopes
	CookieRejections uint64

	// Bus is nil on one machine: its metrics then do not exist.
	Bus *BusSnapshot
}

// BusSnapshot is the part of Snapshot that exists only with -redis.
type BusSnapshot struct {
	Connected bool
	Publish   Histogram // seconds a batch
	Lag       Histogram // seconds from publishing node to this one
	Gaps      uint64
	Refilled  uint64 // entries read from the log to close gaps
	Nodes     int64  // with a lease
}

// Histogram holds observations in buckets.
type Histogram struct {
	Bounds []float64 // upper bounds, rising
	Counts []uint64  // observations in each bucket, not summed up; one more than Bounds, the last is above all of them
	Sum    float64   // of all observations
}

// BuildInfo is what nebula_build_info says.
type BuildInfo struct{ Version, Commit, GoVersion string }

// RejectReasons are the known values of nebula_connections_rejected_total's label.
func RejectReasons() []string {
	return []string{"full", "files", "draining", "origin", "rate", "address", "handshake", "plain_full"}
}

// DisconnectReasons are the known values of nebula_disconnects_total's label.
func DisconnectReasons() []string {
	return []string{"peer", "reset", "idle", "handshake", "slow", "protocol", "policy", "too_big", "restart", "shutdown", "error"}
}

// MessageResults are the known values of nebula_messages_total's label.
func MessageResults() []string {
	return []string{"accepted", "duplicate", "rate_limited", "busy", "rejected"}
}

// RateScopes are the known values of nebula_ratelimit_rejections_total's label.
func RateScopes() []string { return []string{"user", "address"} }
