//go:build linux

package main

import (
	"fmt"
	"nebula/perf/check"
	"nebula/perf/hist"
	"nebula/perf/load"
	"time"
)

// tryAgainLater is the close code for who reads too slowly; protocol section 7.
const tryAgainLater = "1013"

// Result is what a run prints.
type Result struct {
	Mode    string  `json:"mode"`
	Nodes   int     `json:"nodes"`
	Clients int     `json:"clients"`
	Rooms   int     `json:"rooms"`
	Text    int     `json:"text_bytes"`
	Workers int     `json:"workers"`
	Seconds float64 `json:"seconds"` // of the window

	Published  int     `json:"published"`  // messages due in the window that were sent
	Deliveries int     `json:"deliveries"` // message events received in the window
	Rate       float64 `json:"messages_per_second"`
	PerSecond  float64 `json:"deliveries_per_second"`
	PerRead    float64 `json:"deliveries_per_read"` // how many the server gathers in one send, about

	Latency hist.Summary `json:"latency"` // from the time a message was due to each member's read
	Last    hist.Summary `json:"last"`    // to the last member's read
	Acks    hist.Summary `json:"acks"`    // to the sender's ack

	Server    *Server   `json:"server,omitempty"` // none where it is not metered
	Generator Generator `json:"generator"`

	Lost       int            `json:"lost"`
	Doubled    int            `json:"doubled"`
	Misordered int            `json:"misordered"`
	Recovered  int            `json:"recovered"`  // by resume and history
	ThrownOut  int            `json:"thrown_out"` // connections that the server ended
	Back       int            `json:"back"`       // connections that came back and resumed
	Gone       int            `json:"gone"`       // clients that were away at the end
	Closed     map[string]int `json:"closed"`     // by close code
	Errors     map[string]int `json:"errors"`     // by code
	Answers    check.Answers  `json:"answers"`
	Protocol   load.Faults    `json:"protocol"`
	Failed     map[string]int `json:"failed_connects"` // and repeated

	Idle    *Idle    `json:"idle,omitempty"`
	Storm   *Storm   `json:"storm,omitempty"`
	Restart *Restart `json:"restart,omitempty"`
	Search  []Try    `json:"search,omitempty"`

	Faults []string `json:"faults"` // why the run is not good; none: it is
}

// Server is what the server, or all nodes, used in the window.
type Server struct {
	CPU         float64 `json:"cpu_seconds"`
	User        float64 `json:"user_seconds"` // in ticks of 10 ms
	System      float64 `json:"system_seconds"`
	Cores       float64 `json:"cores"`
	PerDelivery float64 `json:"cpu_us_per_delivery"`
	Ratio       float64 `json:"cpu_over_generator"` // steadier than microseconds
	RSS         int64   `json:"rss_bytes"`          // at the window's start
	MostRSS     int64   `json:"most_rss_bytes"`     // in the step, looked at every 100 ms
}

// Generator tells whether the figures are the server's or the load generator's own.
type Generator struct {
	KeptUp      bool         `json:"kept_up"`  // false: latencies are not the server's alone
	Busy        float64      `json:"busy"`     // share of the window, of the busiest worker
	Lateness    hist.Summary `json:"lateness"` // from due to sent
	PerDelivery float64      `json:"cpu_us_per_delivery"`
}

// Idle is memory over connections.
type Idle struct {
	Stages        []Stage `json:"stages"`
	PerConnection float64 `json:"rss_bytes_per_connection"` // slope from none to all
}

// Stage is one point of it.
type Stage struct {
	Clients int   `json:"clients"`
	RSS     int64 `json:"rss_bytes"`
}

// Storm is what a storm's clients saw.
type Storm struct {
	Joined      int          `json:"joined"`
	JoinTime    hist.Summary `json:"join_time"`
	MostFrames  int          `json:"most_presence_frames_of_a_client"`
	TooMany     int          `json:"clients_with_more_than_one_a_second"`
	WrongCounts int          `json:"clients_with_a_wrong_count"`
}

// Restart is how a restart went.
type Restart struct {
	Down      float64      `json:"down_ms"` // from the signal to ready again
	BackTime  hist.Summary `json:"back_time"`
	Rewound   int          `json:"taken_again"` // numbers that members took again in the new epoch
	Audit     load.Audit   `json:"audit"`
	Forgotten int          `json:"acked_lost"`
}

func newResult(s *settings) *Result {
	return &Result{
		Mode: s.mode, Nodes: s.nodes, Clients: s.clients, Rooms: s.rooms, Text: s.text, Workers: s.workers,
		Failed: map[string]int{}, Faults: []string{},
	}
}

func (r *Result) connected(ready *load.Ready) {
	for why, n := range ready.Failed {
		r.Failed[why] += n
	}
}

// take fills in the figures of one step.
func (r *Result) take(report *load.Report, used *usage) {
	r.Seconds, r.Published, r.Deliveries = report.Seconds, report.Published, report.Deliveries
	r.Rate, r.PerSecond = float64(report.Published)/report.Seconds, float64(report.Deliveries)/report.Seconds
	r.PerRead = per(float64(report.Deliveries), report.Reads)
	r.Latency, r.Last, r.Acks = report.Latency.Summary(), report.Last.Summary(), report.Acks.Summary()
	r.Generator = Generator{
		KeptUp: keptUp(report), Busy: report.Busy, Lateness: report.Lateness.Summary(),
		PerDelivery: per(float64(report.CPU)/1e3, report.Deliveries),
	}
	if used != nil {
		cpu := used.cpu.Total.Seconds()
		r.Server = &Server{
			CPU: cpu, User: used.cpu.User.Seconds(), System: used.cpu.System.Seconds(), Cores: cpu / report.Seconds,
			PerDelivery: per(cpu*1e6, report.Deliveries), Ratio: cpu / (float64(report.CPU) / 1e9),
			RSS: used.rss, MostRSS: used.most,
		}
	}
	r.Lost, r.Doubled = report.Tally.Lost+report.Undelivered(), report.Tally.Doubled
	r.Misordered, r.Recovered = report.Tally.Misordered, report.Tally.Recovered
	r.ThrownOut, r.Back, r.Gone = sum(report.Closed), report.Back, report.Gone
	r.Closed, r.Errors, r.Answers, r.Protocol = report.Closed, report.Errors, report.Answers, report.Faults
	if s := report.Storm; s != nil {
		r.Storm = &Storm{s.Joined, s.JoinTime.Summary(), s.MostFrames, s.TooMany, s.WrongCounts}
	}
}

// stage notes one point of memory over connections.
func (r *Result) stage(clients int, rss int64) {
	if r.Idle == nil {
		r.Idle = new(Idle)
	}
	r.Idle.Stages = append(r.Idle.Stages, Stage{clients, rss})
	r.Idle.PerConnection = per(float64(rss-r.Idle.Stages[0].RSS), clients)
}

func (r *Result) restarted(report *load.Report, audit load.Audit, down time.Duration) {
	r.Restart = &Restart{
		Down: float64(down) / 1e6, BackTime: report.BackTime.Summary(), Rewound: report.Rewound,
		Audit: audit, Forgotten: audit.Forgotten,
	}
	if audit.Forgotten > 0 {
		r.fault("%d acked messages are not in the history", audit.Forgotten)
	}
	if audit.Unread > 0 || audit.Broken > 0 {
		r.fault("the history of %d rooms could not be read, %d pages out of order", audit.Unread, audit.Broken)
	}
	want := r.Clients
	if r.Nodes > 1 {
		want = max(sum(report.Closed), 1) // the other nodes' clients stay
	}
	if report.Back < want {
		r.fault("%d clients came back, want %d", report.Back, want)
	}
}

func (r *Result) fault(format string, args ...any) {
	r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
}

func sum(counts map[string]int) int {
	n := 0
	for _, one := range counts {
		n += one
	}
	return n
}

func per(amount float64, n int) float64 {
	if n == 0 {
		return 0
	}
	return amount / float64(n)
}
