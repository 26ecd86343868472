//go:build linux

package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// bar is how many times a bare round trip of the same kind a message across nodes may take.
const bar = 1.5

// markdown is the result for people.
func (r *result) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n", r.Head)
	r.latencies(&b)
	r.loads(&b)
	for _, fault := range r.Faults {
		fmt.Fprintf(&b, "- **%s**\n", fault)
	}
	return b.String()
}

func (r *result) latencies(b *strings.Builder) {
	fmt.Fprintf(b, "Blocking Go clients, in turns, medians of %d rounds; bare payloads of %d bytes, as Nebula's entries are.\n\n",
		len(r.Latency), r.EntryBytes)
	b.WriteString("| way | p50 / p99 ms | Nebula across nodes over it, p50 / p99 | bar | met |\n| --- | --- | --- | --- | --- |\n")
	for _, w := range r.Ways {
		over, limit, met := "", "", ""
		if w.OverP50 > 0 {
			over = fmt.Sprintf("%.2f / %.2f", w.OverP50, w.OverP99)
		}
		if w.Name == hopsLeg {
			limit, met = fmt.Sprintf("≤ %.1f", bar), "yes"
			if w.OverP50 > bar || w.OverP99 > bar || w.OverP50 == 0 {
				met = "**no**"
			}
		}
		fmt.Fprintf(b, "| %s | %.3f / %.3f | %s | %s | %s |\n", w.Name, w.P50, w.P99, over, limit, met)
	}
}

func (r *result) loads(b *strings.Builder) {
	rounds := 0
	if len(r.Medians) > 0 {
		rounds = len(r.Loads) / len(r.Medians)
	}
	fmt.Fprintf(b, "\nLoads in turns, medians of %d rounds; what is a message's is of those acked. "+
		"Lost, doubled, misordered and refused are of all rounds.\n\n", rounds)
	b.WriteString("| messages/s asked | sent | acked | refused | ack p50 / p99 ms | to another node | to the same node | lost / doubled / misordered |" +
		" CPU µs a message: nodes | Redis | cores: nodes | Redis | commands a message (a second) | script calls | bytes in / out a message (KB/s) |" +
		" generator busy, late p99 ms |\n|" + strings.Repeat(" --- |", 16) + "\n")
	for _, l := range r.Medians {
		name, each := fmt.Sprintf("%.0f", l.Asked), func(perSecond float64, digits int) string {
			if l.Acked == 0 {
				return "–"
			}
			return fmt.Sprintf("%.*f", digits, perSecond/l.Acked)
		}
		if l.Asked == 0 {
			name = "at rest"
		}
		fmt.Fprintf(b, "| %s | %.0f | %.0f | %s | %.1f / %.1f | %.1f / %.1f | %.1f / %.1f | %d / %d / %d | %s | %s | %.2f | %.2f | %s (%.0f) | %s | %s / %s (%.0f / %.0f) | %.2f, %.1f |\n",
			name, l.Sent, l.Acked, l.refusals(), l.Ack.P50, l.Ack.P99, l.Across.P50, l.Across.P99, l.Same.P50, l.Same.P99,
			l.Tally.Lost, l.Tally.Doubled, l.Tally.Misordered, each(l.NodesCores*1e6, 1), each(l.BusCores*1e6, 1), l.NodesCores, l.BusCores,
			each(l.Commands, 2), l.Commands, each(l.Scripts, 3), each(l.In, 0), each(l.Out, 0), l.In/1e3, l.Out/1e3, l.Busy, l.Late)
	}
}

// refusals are the errors by code.
func (l *load) refusals() string {
	if len(l.Refused) == 0 {
		return "0"
	}
	var all []string
	for _, code := range slices.Sorted(maps.Keys(l.Refused)) {
		all = append(all, fmt.Sprintf("%d %s", l.Refused[code], code))
	}
	return strings.Join(all, ", ")
}
