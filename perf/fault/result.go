package main

import (
	"fmt"
	"io"
	"maps"
	"nebula/perf/fault/crowd"
	"nebula/perf/fault/verdict"
	"slices"
	"time"
)

// Result is what a run showed.
type Result struct {
	Kept       bool                  `json:"kept"` // every promise
	Seed       uint64                `json:"seed"`
	Durability string                `json:"durability"`
	Seconds    float64               `json:"seconds"`
	Blows      map[Blow]int          `json:"blows"`
	Mends      map[Blow]Mend         `json:"mends"`
	Nodes      int                   `json:"nodes"`
	Starts     int                   `json:"starts"`
	Epochs     int                   `json:"epochs"`
	Counts     crowd.Counts          `json:"counts"`
	Acked      int                   `json:"acked"`    // messages
	Stored     int                   `json:"stored"`   // messages
	Vanished   int                   `json:"vanished"` // places seen and gone without ack, as the protocol allows
	Resumes    int                   `json:"resumes"`  // answers to a cursor, those of probes included
	Whole      int                   `json:"whole"`    // of these, complete ones
	Taken      int                   `json:"taken"`    // of these, to cursors whose message is gone and whose place another took
	Unsure     int                   `json:"unsure"`   // of these, those that the checker could not judge
	Probes     int                   `json:"probes"`   // cursors of clients tried at the end
	Faults     map[verdict.Fault]int `json:"faults"`
	Sentences  []string              `json:"sentences"`
}

// take fills in what is known at the end.
func (r *Result) take(t *trial, v *verdict.Verdict, took time.Duration) {
	r.Seconds = took.Seconds()
	r.Starts, r.Counts = t.sys.Starts(), t.crowd.Counts()
	r.Acked, r.Stored, r.Epochs = v.Acked, v.Stored(), v.Epochs()
	r.Vanished, r.Resumes, r.Whole, r.Taken, r.Unsure = v.Vanished, v.Resumes, v.Whole, v.Taken, v.Unsure
	r.Faults = make(map[verdict.Fault]int)
	broken := t.crowd.Faults()
	for _, f := range []*verdict.Faults{&t.faults, &broken, &v.Faults} {
		for _, kind := range verdict.Kinds() {
			r.Faults[kind] += f.Count(kind)
		}
		r.Sentences = append(r.Sentences, f.Sentences()...)
	}
	total := 0
	for _, n := range r.Faults {
		total += n
	}
	r.Kept = total == 0 && r.Acked > 0 && int64(r.Acked) == r.Counts.Sent
}

// print writes the result for people.
func (r *Result) print(to io.Writer) {
	for _, s := range r.Sentences {
		fmt.Fprintln(to, s)
	}
	fmt.Fprintf(to, "seed %d, %d nodes, durability %s, %.0f s, %d starts, %d epochs:", r.Seed, r.Nodes, r.Durability, r.Seconds, r.Starts, r.Epochs)
	for _, blow := range slices.Sorted(maps.Keys(r.Blows)) {
		fmt.Fprintf(to, " %s %d", blow, r.Blows[blow])
	}
	fmt.Fprintf(to, "\n%d messages sent, %d acked, %d stored; %d resends, %d repeats of acked ids, %d refusals, %d connections\n",
		r.Counts.Sent, r.Acked, r.Stored, r.Counts.Resends, r.Counts.Repeats, r.Counts.Refusals, r.Counts.Connects)
	fmt.Fprintf(to, "%d resumes judged (%d whole, %d to a place that another took, %d undecided, %d tried at the end), %d unacked places gone\n",
		r.Resumes, r.Whole, r.Taken, r.Unsure, r.Probes, r.Vanished)
	for _, blow := range slices.Sorted(maps.Keys(r.Mends)) {
		m := r.Mends[blow]
		fmt.Fprintf(to, "%-10s acks again within %.1f s, presence right within %.1f s\n", blow, m.Acks, m.Presence)
	}
	for _, kind := range verdict.Kinds() {
		fmt.Fprintf(to, "%s %d  ", kind, r.Faults[kind])
	}
	if r.Kept {
		fmt.Fprintln(to, "\nKEPT: every promise")
		return
	}
	fmt.Fprintln(to, "\nBROKEN")
}
