//go:build linux

package main

import (
	"nebula/perf/load"
	"time"
)

// Beyond these the generator is part of what it measures: it was late itself, or never slept.
const (
	mostLate = 10 * time.Millisecond // p99
	mostBusy = 0.97
)

func keptUp(r *load.Report) bool {
	return r.Lateness.Quantile(0.99) < mostLate && r.Busy < mostBusy && r.Skipped == 0
}

// wantOrder is for every mode: one order without holes or doubles, every message
// answered once, everybody there at the end.
func (r *Result) wantOrder(report *load.Report) {
	a := report.Answers
	for _, one := range []struct {
		n    int
		what string
	}{
		{report.Tally.Lost + report.Undelivered(), "deliveries lost"},
		{report.Tally.Doubled, "deliveries doubled"},
		{report.Tally.Misordered, "deliveries out of order"},
		{a.Missing, "messages never answered"},
		{a.Twice, "messages answered twice"},
		{a.Unknown, "answers to nothing"},
		{a.WrongSeq, "acks with another seq than the message"},
		{a.WrongOwner, "answers to another client"},
		{a.Repeated, "messages with two seqs"},
		{report.Faults.Frames, "bad frames"},
		{report.Faults.Events, "bad events"},
		{report.Faults.Early, "messages outside a joined room"},
		{report.Faults.Split, "places that name two messages"},
		{report.Faults.Pages, "pages out of order"},
		{report.Faults.Texts, "changed texts"},
		{report.Gone, "clients away at the end"},
	} {
		if one.n != 0 {
			r.fault("%d %s", one.n, one.what)
		}
	}
}

// wantNobodyRefused is for loads that a server must carry.
func (r *Result) wantNobodyRefused(report *load.Report) {
	if n := sum(report.Closed); n > 0 {
		r.fault("%d clients thrown out: %v", n, report.Closed)
	}
	if n := report.Answers.Refused + report.Answers.Unsure; n > 0 {
		r.fault("%d messages refused: %v", n, report.Errors)
	}
}

// wantOnlySlow is for clients that do not read: thrown out with 1013, or cut when
// they did not read that either for 10 s (protocol section 7), or not at all.
func (r *Result) wantOnlySlow(report *load.Report) {
	for code, n := range report.Closed {
		if code != tryAgainLater && code != load.Ended && code != load.Reset {
			r.fault("%d connections ended with %q, want 1013", n, code)
		}
	}
}

// wantBoundedPresence is for storms: protocol section 5.
func (r *Result) wantBoundedPresence(report *load.Report, clients int) {
	s := report.Storm
	switch {
	case s == nil:
		r.fault("no storm took place")
		return
	case s.Joined != clients:
		r.fault("%d clients joined, want %d", s.Joined, clients)
	}
	if s.TooMany > 0 {
		r.fault("%d clients got more than one presence frame a second", s.TooMany)
	}
	if s.WrongCounts > 0 {
		r.fault("%d clients were told a wrong count", s.WrongCounts)
	}
}
