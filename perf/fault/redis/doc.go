// Package redis runs a redis-server as a process of its own, which is killed,
// stopped, emptied and rolled back as often as one likes.
//
// What it does not know. What is kept there, and who asks.
//
// Its goroutines. One for each start, which waits for its end.
//
// Its invariants. At most one process at a time, ended by its id. Close leaves none.
// Every wait has a deadline.
//
// What a full queue does. There is none.
//
// Decisions.
//
//   - It listens on a Unix socket in its folder only: a port may be another's by the
//     time it starts again.
//   - Its append-only file is never rewritten, so that a copy which is taken while it
//     runs is what was there at some moment, a last command cut short apart.
package redis
