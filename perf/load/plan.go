package load

// Plan is one step: publish from Start on, measure what is due between Start+Warm
// and Start+Warm+For, then wait for the rest. Times are nanoseconds of meter.Clock.
type Plan struct {
	Start int64   `json:"start_ns"`
	Warm  int64   `json:"warm_ns"`
	For   int64   `json:"for_ns"`
	Drain int64   `json:"drain_ns"` // longest wait for what is due by then
	Rate  float64 `json:"rate"`     // messages a second of this worker
	Slow  int64   `json:"slow_ns"`  // how long the slow clients do not read, from the window's start; 0: they do
	Storm bool    `json:"storm"`    // everybody joins at Start
}

func (p Plan) windowStart() int64 { return p.Start + p.Warm }
func (p Plan) windowEnd() int64   { return p.Start + p.Warm + p.For }

// messages is how many are to be published in all.
func (p Plan) messages() uint64 { return uint64(p.Rate * float64(p.Warm+p.For) / float64(second)) }

// due is when message k of the step should leave.
func (p Plan) due(k uint64) int64 {
	return p.Start + int64(float64(k)*float64(second)/p.Rate)
}

// Command is what a crew tells its worker; one line of JSON each.
type Command struct {
	Do   string `json:"do"` // step, calm, audit, quit
	Plan Plan   `json:"plan"`
	Wait int64  `json:"wait_ns"` // of calm and audit: longest time
}

// What a Command can ask for.
const (
	DoStep  = "step"
	DoCalm  = "calm"
	DoAudit = "audit"
	DoQuit  = "quit"
)

// Answer is what a worker tells its crew; one line of JSON each, one of the fields set.
type Answer struct {
	Ready *Ready  `json:"ready,omitempty"`
	Calm  *Calm   `json:"calm,omitempty"`
	Step  *Report `json:"step,omitempty"`
	Audit *Audit  `json:"audit,omitempty"`
	Error string  `json:"error,omitempty"`
}

// Ready tells that a worker connected its clients.
type Ready struct {
	Clients int            `json:"clients"`
	Joined  int            `json:"joined"`
	Seconds float64        `json:"seconds"`
	Failed  map[string]int `json:"failed"` // attempts that did not work, by reason; they were repeated
}

// Calm tells that no presence frame came for a while.
type Calm struct {
	Quiet   bool    `json:"quiet"` // false: the time was over first
	Seconds float64 `json:"seconds"`
}

// Audit tells what the history holds of the last step.
type Audit struct {
	Rooms     int `json:"rooms"`     // read to their first message
	Unread    int `json:"unread"`    // rooms that nobody could read to their first message
	Forgotten int `json:"forgotten"` // acked messages that it does not hold, or holds under another seq
	Broken    int `json:"broken"`    // pages that are not in order, or do not join
}
