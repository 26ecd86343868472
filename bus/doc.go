// Package bus decides who gives a message its place in a room's order: it
// implements shard.Relay.
//
// What it does not know: sockets, SQL, who is in a room.
//
// Goroutines: none. Local answers on the goroutine of the shard's turn.
//
// Invariants: with Local every shard orders its own rooms, and no message leaves
// the process.
//
// What a full queue does: there is none.
//
// Decisions:
//   - One machine is a bus that says "here", rather than a shard that knows
//     whether there is a cluster.
package bus
