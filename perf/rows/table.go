//go:build linux

package main

import (
	"fmt"
	"strings"
)

// table is the rows as Markdown.
func table(head string, pairs []pair) string {
	var b strings.Builder
	b.WriteString(head)
	b.WriteString("\n| row | work | CPU µs a delivery | floor | over floor | CPU over generator (floor) | p50 / p99 ms (floor) |" +
		" last member p50 ms | deliveries/s (floor) | bytes a connection | faults | bar | met |\n|" + strings.Repeat(" --- |", 13) + "\n")
	for _, p := range pairs {
		bar, met := p.row.bar(p)
		name := p.row.name
		if p.late() {
			name += " *"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s%s | %s / %s%s | %s | %s%s | %s | %s | %s | %s |\n",
			name, p.row.what,
			number(p.ours.PerDelivery, 2), number(p.floor.PerDelivery, 2), number(p.ratio, 2),
			number(p.ours.Ratio, 2), inBrackets(number(p.floor.Ratio, 2)),
			number(p.ours.P50, 1), number(p.ours.P99, 1), inBrackets(number(p.floor.P99, 1)),
			number(p.ours.Last, 1), number(p.ours.PerSecond, 0), inBrackets(number(p.floor.PerSecond, 0)),
			number(p.ours.PerConnection, 0), faults(p.ours), bar, yes(met))
	}
	b.WriteString("\n`*`: the load generator was late or never slept in some run: its latencies are not the server's alone.\n" +
		"Lost, doubled, misordered and thrown out are 0 where no fault stands.\n")
	for _, p := range pairs {
		for _, f := range p.ours.Faults {
			fmt.Fprintf(&b, "- %s, %s: %s\n", p.row.name, server, f)
		}
		for _, f := range p.floor.Faults {
			fmt.Fprintf(&b, "- %s, %s: %s\n", p.row.name, floor, f)
		}
	}
	return b.String()
}

// late tells whether latencies are the generator's too; a search ends there, and overload is meant to get there.
func (p pair) late() bool { return !p.ours.KeptUp }

func number(n float64, digits int) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.*f", digits, n)
}

func inBrackets(s string) string {
	if s == "–" {
		return ""
	}
	return " (" + s + ")"
}

func faults(f figures) string {
	if !f.bad() {
		return "0"
	}
	return fmt.Sprintf("**%d**", len(f.Faults))
}

func yes(met bool) string {
	if met {
		return "yes"
	}
	return "**no**"
}
