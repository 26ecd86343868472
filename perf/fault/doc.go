// Command fault kills a server, or the nodes of a cluster and their bus, again and again
// while a crowd talks, and judges whether they kept their promises: no acked message
// lost, none doubled, one order without holes, every cursor resumed exactly, an id sent
// again answered with its first seq, everybody seen who is there (protocol.md
// sections 2 to 5).
//
//	go run ./perf/fault -seed 1 -kills 50                  # the long run, two minutes or so
//	go run ./perf/fault -seed 1 -kills 50 -durability disk
//	go run ./perf/fault -nodes 3 -seed 1 -kills 30 -rate 1000   # three nodes and Redis, three minutes
//	go run ./perf/fault -failpoints                        # every failpoint of persist
//	go run ./perf/fault -kills 5 -failpoint ack:early,before-commit:sleep=2s:10   # must end with BROKEN
//
// It builds the server, starts it on a free port with a folder of its own, and
// exits with 0 if every promise was kept, with 1 and the messages named if not. A
// cluster needs redis-server.
//
// What it does not know. The inside of the server, except the names of failpoints.
// Where is what: plan and planCluster draw the schedule, System is what is struck
// (single: one process; cluster: nodes, each with a link of its own to their bus),
// package crowd is the clients, package verdict judges, package chat speaks the
// protocol, packages server and redis run processes, package link is a wire that may be
// cut.
//
// Its goroutines. The caller's strikes and judges; package crowd has one for each
// member, packages server and redis one for each process, package link those of its
// connections.
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
//   - After each strike the system must take traffic again, a new message be acked in
//     every room, and every node tell who is in one room, each within a time.
//   - A cluster is struck again only when it is mended. So there is always a living node,
//     or the bus, that has what was seen: in a cluster nothing that was seen may go,
//     acked or not, and the histories of all nodes must be the same.
//   - Nobody who has joined is told that the bus began a new epoch, so that a cursor may
//     be of another epoch than the checker thinks. Where that matters it takes either
//     answer, and counts it as undecided; what the client has in the end tells whether it was right.
//   - There are two negative controls. One needs no change in the server: its
//     write-ahead log is removed after a kill (in the tests). The other acks before
//     commit; a commit takes so little time that random kills hardly ever fall into
//     it (three of three missed), therefore one commit of each life is held.
package main
