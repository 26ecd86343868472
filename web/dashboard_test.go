package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// steady is a server's numbers after n turns of steady work.
func steady(n uint64) Snapshot {
	return Snapshot{
		Connections: 1204, ConnectionsTotal: 2000 + n, Rooms: 37, Members: 3120,
		Rejected:    map[string]uint64{"origin": 2, "rate": 11},
		Disconnects: map[string]uint64{"peer": 700, "slow": 3, "too_big": 1},
		Messages:    map[string]uint64{"accepted": 5000 * n, "duplicate": 12, "busy": 1},
		Deliveries:  410_000 * n,
		Delivery:    Histogram{Bounds: []float64{1e-4, 1e-3, 1e-2}, Counts: []uint64{900 * n, 95 * n, 5 * n, 0}, Sum: 1},
		Ack:         Histogram{Bounds: []float64{1e-3, 1e-2, 1e-1}, Counts: []uint64{0, 60 * n, 40 * n, 0}, Sum: 1},
		BytesSent:   90_000_000 * n, BytesReceived: 1_200_000 * n, SendQueueBytes: 48_000, SlowConsumers: 3,
		LoopBusy: []float64{0.31, 0.62}, ShardQueue: []int{0, 3, 17, 1},
		PersistQueue:  210,
		PersistCommit: Histogram{Bounds: []float64{1e-3, 1e-2}, Counts: []uint64{10 * n, 0, 0}, Sum: 1},
		PersistBatch:  Histogram{Bounds: []float64{100, 1000}, Counts: []uint64{0, 10 * n, 0}, Sum: 1},
		RateLimited:   map[string]uint64{"user": 4},
	}
}

// admin is an admin address whose server can be made to fall silent.
type admin struct {
	mu       sync.Mutex
	gone     bool
	bus      bool
	turns    uint64
	notReady map[string]string
}

func startAdmin(t *testing.T) (*admin, string) {
	t.Helper()
	a := &admin{}
	snapshot := func() Snapshot {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.turns++
		s := steady(a.turns)
		if a.bus {
			s.Bus = &BusSnapshot{Connected: true, Nodes: 3, Lag: Histogram{Bounds: []float64{0.01}, Counts: []uint64{a.turns, 0}}}
		}
		return s
	}
	ready := func() map[string]string {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.notReady
	}
	inner := Admin(AdminConfig{Metrics: Registry(snapshot, BuildInfo{Version: "v1.2.3", Commit: "0123456789abcdef", GoVersion: "go1.26"}), Ready: ready})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		gone := a.gone
		a.mu.Unlock()
		if gone {
			panic(http.ErrAbortHandler)
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	return a, srv.URL
}

func (a *admin) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (tb *tab) tile(id, want string) {
	tb.t.Helper()
	tb.wait(`[...document.querySelectorAll('[data-tile=%s] .number')].map((el) => el.textContent.replace('\u202f', '')).join(' ') === %q`, id, want)
}

func TestDashboard(t *testing.T) {
	a, url := startAdmin(t)
	tb := newTab(t, startBrowser(t), url)
	tb.open("/dashboard")
	tb.tile("connections", "1.20k")
	tb.tile("rooms", "37")
	tb.tile("members", "3.12k")
	tb.tile("loops", "62 %")
	tb.tile("shards", "17")
	tb.tile("send-queue", "46.9kB")
	tb.tile("slow", "3")
	tb.tile("persist-queue", "210")
	tb.tile("persist-errors", "0")
	tb.tile("delivery", "55.6 µs 953 µs")
	tb.tile("ack", "8.50 ms 97.8 ms")
	tb.tile("commit", "500 µs 990 µs")
	tb.tile("batch", "550 991")
	for _, list := range []string{"rejections rate 11 origin 2", "disconnects peer 700 slow 3 too big 1", "loops loop 0 31 % loop 1 62 %", "limits user 4"} {
		id, want, _ := strings.Cut(list, " ")
		tb.wait(`[...document.querySelectorAll('[data-tile=%s] :is(th, td)')].map((el) => el.textContent).join(' ') === %q`, id, want)
	}
	tb.text("#about", "v1.2.3 · 0123456789ab · up")
	// Rates need a second reading: 5,000 messages a turn of at least 2 s.
	tb.wait(`/^[0-9.]+\u202fk$/.test(document.querySelector('[data-tile=messages] .number').textContent)`)
	tb.wait(`!document.querySelector('.tile[data-quiet]')`)
	if hidden := eval[bool](tb, `[...document.querySelectorAll('.group')].find((g) => g.textContent.startsWith('Cluster')).hidden`); !hidden {
		t.Error("a single machine shows a cluster")
	}
	tb.everywhere("live")

	tb.expect = []string{"ERR_", "Failed to load resource"}
	a.set(func() { a.notReady, a.bus = map[string]string{"database": "the disk is full"}, true })
	tb.text("#not-ready", "Takes no traffic. database: the disk is full")
	tb.tile("nodes", "3")
	tb.wait(`document.querySelector('#not-ready').checkVisibility()`)
	a.set(func() { a.gone = true })
	tb.text("#state", "The server does not answer since")
	tb.tile("connections", "1.20k") // the last that was known
	tb.looks("gone")
	a.set(func() { a.gone, a.notReady = false, nil })
	tb.wait(`document.querySelector('#state').dataset.state === 'live' && document.querySelector('#not-ready').hidden`)
}

func TestDashboard_ScreenReader(t *testing.T) {
	_, url := startAdmin(t)
	tb := newTab(t, startBrowser(t), url)
	tb.open("/dashboard")
	tb.tile("connections", "1.20k")
	nodes := tb.axTree()
	for _, want := range []node{
		{"heading", "Nebula", "level=1"},
		{"heading", "Clients", "level=2"},
		{"heading", "Connections", "level=3"},
		{"status", "", "live=polite"},
		{"rowheader", "too big", ""},
	} {
		if !slices.ContainsFunc(nodes, func(n node) bool {
			return n.role == want.role && n.name == want.name && strings.Contains(n.more, want.more)
		}) {
			t.Errorf("nothing like %+v in the accessibility tree: %s", want, fmt.Sprint(nodes))
		}
	}
}
