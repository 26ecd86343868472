package load

import (
	"nebula/perf/check"
	"nebula/perf/hist"
)

// Report is what one worker saw in one step.
type Report struct {
	Seconds    float64 `json:"seconds"`    // length of the window as it was
	Planned    int     `json:"planned"`    // messages due in the step, warm-up included
	Skipped    int     `json:"skipped"`    // messages whose turn no sender could take
	Published  int     `json:"published"`  // messages sent in the window
	Deliveries int     `json:"deliveries"` // live message events received in the window
	Bytes      int64   `json:"bytes"`      // received in the window
	Reads      int     `json:"reads"`      // system calls that read something in the window
	Presence   int     `json:"presence"`   // presence frames in the window
	Foreign    int     `json:"foreign"`    // message events of others
	Blocked    int     `json:"blocked"`    // frames of ours that the kernel did not take at once

	Tally   check.Tally    `json:"tally"`
	Answers check.Answers  `json:"answers"`
	Faults  Faults         `json:"faults"`
	Errors  map[string]int `json:"errors"` // error events by code
	Closed  map[string]int `json:"closed"` // connections ended by the server, by close code
	Back    int            `json:"back"`   // connections that came back into their room
	Gone    int            `json:"gone"`   // connections that were away at the end
	Rewound int            `json:"rewound"`
	Rooms   []RoomView     `json:"rooms"`

	Latency  hist.Hist `json:"latency"`   // due to received, each delivery of the window
	Last     hist.Hist `json:"last"`      // due to received by the last member of this worker, each message of the window
	Acks     hist.Hist `json:"acks"`      // due to ack, each message of the window
	Lateness hist.Hist `json:"lateness"`  // due to sent, each message of the window: the generator's own fault
	BackTime hist.Hist `json:"back_time"` // connection lost to joined again
	Busy     float64   `json:"busy"`      // share of the window in which the loop did not sleep
	CPU      int64     `json:"cpu_ns"`    // of this worker in the window, user and system

	Storm *Storm `json:"storm,omitempty"`
}

// Add joins what another worker saw of the same step. What is told of the last
// member is then of each worker's last.
func (r *Report) Add(o *Report) {
	r.Seconds = max(r.Seconds, o.Seconds)
	r.Planned += o.Planned
	r.Skipped += o.Skipped
	r.Published += o.Published
	r.Deliveries += o.Deliveries
	r.Bytes += o.Bytes
	r.Reads += o.Reads
	r.Presence += o.Presence
	r.Foreign += o.Foreign
	r.Blocked += o.Blocked
	r.Tally.Add(o.Tally)
	r.Answers.Add(o.Answers)
	r.Faults.Add(o.Faults)
	r.Errors, r.Closed = addCounts(r.Errors, o.Errors), addCounts(r.Closed, o.Closed)
	r.Back += o.Back
	r.Gone += o.Gone
	r.Rewound += o.Rewound
	r.addRooms(o.Rooms)
	r.Latency.Add(&o.Latency)
	r.Last.Add(&o.Last)
	r.Acks.Add(&o.Acks)
	r.Lateness.Add(&o.Lateness)
	r.BackTime.Add(&o.BackTime)
	r.Busy = max(r.Busy, o.Busy)
	r.CPU += o.CPU
	if o.Storm != nil {
		if r.Storm == nil {
			r.Storm = new(Storm)
		}
		r.Storm.add(o.Storm)
	}
}

func addCounts(to, from map[string]int) map[string]int {
	if to == nil {
		to = make(map[string]int, len(from))
	}
	for name, n := range from {
		to[name] += n
	}
	return to
}

func (r *Report) addRooms(others []RoomView) {
	for i, o := range others {
		if i == len(r.Rooms) {
			r.Rooms = append(r.Rooms, RoomView{Room: o.Room})
		}
		room := &r.Rooms[i]
		room.Head = max(room.Head, o.Head)
		room.Members += o.Members
		room.Sum += o.Sum
	}
}

// Undelivered is how many messages at the ends of the rooms some member has not got.
func (r *Report) Undelivered() int {
	n := 0
	for _, room := range r.Rooms {
		n += int(room.Head)*room.Members - int(room.Sum)
	}
	return n
}

// How a connection ended in Report.Closed, where no close frame came.
const (
	Ended = "1006" // RFC 6455 section 7.1.5
	Reset = "reset"
)

// Faults counts what breaks the protocol and is nobody's number.
type Faults struct {
	Frames int `json:"frames"` // no WebSocket frame; the connection is given up
	Events int `json:"events"` // no chat message of the protocol
	Early  int `json:"early"`  // live messages before joined, or of a room not joined
	Split  int `json:"split"`  // one room and seq, two messages
	Pages  int `json:"pages"`  // joined or history whose messages are not in order
	Texts  int `json:"texts"`  // messages of ours with another text
}

// Add counts what o counted.
func (f *Faults) Add(o Faults) {
	f.Frames += o.Frames
	f.Events += o.Events
	f.Early += o.Early
	f.Split += o.Split
	f.Pages += o.Pages
	f.Texts += o.Texts
}

// RoomView is where a room's members of one worker stand at the end.
type RoomView struct {
	Room    int    `json:"room"`
	Head    uint64 `json:"head"`    // highest seq that was acked or seen
	Members int    `json:"members"` // connected and joined
	Sum     uint64 `json:"sum"`     // over them, of the seq up to which each has come
}

// Storm is how a storm went.
type Storm struct {
	Joined      int       `json:"joined"`
	JoinTime    hist.Hist `json:"join_time"`    // from the start to joined
	MostFrames  int       `json:"most_frames"`  // presence frames of one client
	TooMany     int       `json:"too_many"`     // clients that got more than one presence frame a second
	WrongCounts int       `json:"wrong_counts"` // clients whose newest count is not the whole room
}

func (s *Storm) add(o *Storm) {
	s.Joined += o.Joined
	s.JoinTime.Add(&o.JoinTime)
	s.MostFrames = max(s.MostFrames, o.MostFrames)
	s.TooMany += o.TooMany
	s.WrongCounts += o.WrongCounts
}
