// Command fault kills a server again and again while a crowd talks, and judges
// whether it kept its promises: no acked message lost, none doubled, one order
// without holes, every cursor resumed exactly, an id sent again answered with its
// first seq (protocol.md sections 2 to 4).
//
//	go run ./perf/fault -seed 1 -kills 50                  # the long run, two minutes or so
//	go run ./perf/fault -seed 1 -kills 50 -durability disk
//	go run ./perf/fault -failpoints                        # every failpoint of persist
//	go run ./perf/fault -kills 5 -failpoint ack:early,before-commit:sleep=2s:10   # must end with BROKEN
//
// It builds the server, starts it on a free port with a folder of its own, and
// exits with 0 if every promise was kept, with 1 and the messages named if not.
//
// What it does not know. The inside of the server, except the names of failpoints.
// Where is what: plan draws the schedule, System is what is struck (single: one
// process), package crowd is the clients, package verdict judges, package chat
// speaks the protocol, package server runs the process.
//
// Its goroutines. The caller's strikes and judges; package crowd has one for each
// member, package server one for each process.
//
// Its invariants. The same seed gives the same schedule and the same clients, though
// not the same interleaving. A run ends within -limit. Nothing is left running, and
// the data folder is removed. An error (no build, no start) is no verdict: it exits
// with 1 too, and says what happened.
//
// What a full queue does. There is none here. The server's is made so short that it
// is full now and then, so that busy is met.
//
// Decisions.
//
//   - Everything that clients were told is kept and judged at the end, against the
//     history that a last start reads from the database; a sample is judged after
//     each restart, so that a loss is found near its cause.
//   - The node's name tells clients which start of the server they talk to: an
//     address cannot, and a stranger's server on a port that was ours is noticed.
//   - A run in which nothing was acked, or not everything in the end, is not kept.
//   - There are two negative controls. One needs no change in the server: its
//     write-ahead log is removed after a kill (in the tests). The other acks before
//     commit; a commit takes so little time that random kills hardly ever fall into
//     it (three of three missed), therefore one commit of each life is held.
package main
