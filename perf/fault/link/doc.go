// Package link is a wire between a server and another one, which may be cut: a TCP
// address whose connections are passed on to a Unix socket.
//
// What it does not know. What is said there.
//
// Its goroutines. One that accepts, and two for each connection; none after Close.
//
// Its invariants. What is passed on comes in order and without holes, or the
// connection ends.
//
// What a full queue does. A chunk of each direction is in memory; behind it the
// kernel's buffers fill up, as on any wire.
//
// Decisions.
//
//   - A stalled link loses nothing: what was said meanwhile arrives late, even if who said it has
//     hung up. So it is on a network that is repaired, and the late arrival is the harder case.
package link
