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
