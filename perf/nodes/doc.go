// Command nodes measures a cluster: it starts a redis-server and three nodes, and
// says how long a message takes from node to node beside bare Redis round trips of
// the same run, and what the cluster and its bus do under three loads. It writes
// nodes.md and nodes.json. Exit code 1: something was lost, doubled or misordered,
// or the run could not be made.
//
// What it is for. `go run ./perf/nodes`, about two and a half minutes; -quick shows
// that it works, and no figure.
//
// What it does not know. The inside of the servers: it speaks to them over the wire,
// reads /proc, and asks Redis for its own counters. How one node does alone
// (perf/rows), and what a cluster does when it is hit (perf/fault).
//
// Its goroutines. The main one leads. A turn of latency has a sender, and a reader for
// each connection, all blocking; under a load one loop plays all clients, while the
// main goroutine meters the processes at the edges of the window. Each process has one
// that waits for its end, and the nodes are stopped by one each.
//
// Its invariants. It connects to loopback only. Everything has a deadline, the
// measurement as a whole three minutes. Processes are ended by their ids, also after
// SIGINT, and their files are removed.
//
// What a full queue does. A client with 32 messages that are not answered sends no
// further one, and what is due while no client may send is not sent: the table tells
// what was asked, sent and acked, so nothing hides in a queue of ours. What the kernel
// does not take of a frame waits with its client.
//
// Decisions.
//
//   - The round trip "of the same kind" is one through bare relays (perf/relay): as many
//     processes hear the channel, a client of one speaks and a client of another hears, and
//     the script does XADD and PUBLISH: what must happen on the bus for a message to have
//     its place and reach the others. Nebula's script does more: epoch, dedupe, seq. The
//     direct ways over Redis have two wake-ups where a message across nodes has four.
//   - All sides of the comparison are blocking Go clients, with entries as large as
//     Nebula's own, which are read from the bus. A time is taken right before the
//     write: a sender waits for no answer, so a stall keeps nothing from being sent, and
//     the lateness of Go's timers belongs to neither side.
//   - Ratios are taken in each round, between neighbours in time, and then the median of
//     these. The order of a round's turns rotates.
//   - Under a load, latency is from the time a message was due.
//   - One order on all nodes: each member folds the numbers of the messages it gets
//     into a digest, in order; the members of a room must have the same.
//   - What the bus costs a message holds all that the nodes do there, heartbeats and
//     scripts' inner calls included; the row at rest tells how much that is without any.
package main
