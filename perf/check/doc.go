// Package check decides whether a server kept what the protocol promises: every
// member of a room sees seq n followed by n+1, nothing twice, nothing missing;
// every message is answered exactly once; an ack names the seq under which
// the message was seen.
//
// What it does not know. Sockets, JSON, clocks, and who is right about the time.
// It is told numbers and counts faults.
//
// Its goroutines. None; a Stream, a Tally and a Ledger belong to one loop.
//
// Its invariants. A fault is counted once, under one name. Nothing that a server
// can send makes it panic; it grows with the messages sent and the holes seen.
//
// What a full queue does. There is none.
//
// Decisions.
//
//   - A number that comes late is misordered, not lost and doubled: so the holes
//     of each stream are kept. They cost nothing while a server has no faults.
//   - History fills holes without being a fault: that is how a client catches up.
//   - After an error that leaves it open whether the message was taken ("internal",
//     "unavailable") an ack is news, not a second answer.
//   - What was in flight when its connection was cut is "cut", not missing: the
//     protocol promises an answer on the connection that asked.
package check
