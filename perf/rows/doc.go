// Command rows makes the table of Nebula's figures: for each row of work Nebula
// and the bare-write floor (perf/floor) take turns, each with a fresh process and
// a fresh data folder, and the medians stand side by side. It writes rows.md and
// rows.json.
//
// What it is for. `go run ./perf/rows` before and after a change of the hot path;
// `-quick -only NAME` while at it.
//
// What it does not know. How a figure is measured: each is one run of
// perf/loadgen, whose command line stands in rows.json to be run by hand.
//
// Its goroutines. The main one; one measurement at a time, or they would disturb
// each other.
//
// Its invariants. A run with a fault (something lost, doubled, misordered, thrown
// out) is shown with it, and the exit code is 1. After SIGINT no process is left.
//
// What a full queue does. There is none.
//
// Decisions.
//
//   - Ratios are taken between neighbours in time and then the median of these,
//     because a shared machine drifts by a factor of two within minutes.
//   - The rows of fan-out run without a database on either side: the floor has
//     none. -durability puts one under Nebula.
//   - "On one core" is taskset's: the server has core 0 to itself and the
//     generator the others, as long as nobody else is on the machine.
package main
