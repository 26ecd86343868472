// Package perf measures Nebula; nothing imports it and it ships nothing.
//
// What it is for. Every figure that is claimed has a program here that makes it: a
// load generator that costs less than the server it loads and checks what it
// receives (perf/loadgen), the bare-write floor that any server on this kernel
// must pay (perf/floor), the table of both beside each other in one run
// (perf/rows), a cluster beside bare Redis (perf/nodes, perf/relay), fault runs
// with a checker (perf/fault), a script for k6 (perf/k6), and a CPU profile under
// load (perf/flame.sh). perf/README.md says how to call each.
//
// What it does not know. The inside of the server: it talks to a process over
// the wire, as the protocol page says, and reads /proc. It shares no parser
// with the server on purpose: a fault in a shared parser would hide itself.
//
// Its goroutines. One event loop a process does all sockets; more processes,
// never more goroutines, when one is not enough.
//
// Its invariants. It connects to loopback addresses only. Every run is bounded
// in time by its flags. A run in which the generator itself could not keep up
// says so, and then its latencies are not the server's.
//
// What a full queue does. There is none: what the kernel does not take of a
// client's frame waits with that client, and is counted as blocked.
//
// Decisions.
//
//   - Latency is measured from the time a message was due, not from the time it
//     was sent, so that a stalled server cannot hide the messages that it kept
//     from being sent (coordinated omission).
//   - Publishing is looked at after every read, so a loop that drowns in reading
//     still publishes on time. Being late therefore does not show saturation
//     alone: the share of the time that the loop was not waiting does, and both
//     must be low for a run to count.
//   - CPU is compared as a ratio within one run (server over generator, Nebula
//     over floor), because absolute figures drift with the neighbours.
package perf
