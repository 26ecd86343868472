// Package chat is a client of the chat server: one connection that speaks
// protocol.md, as slow and simple as a checker can afford.
//
// What it does not know. What any message means: it gives and takes chat messages.
//
// Its goroutines. None. A Conn belongs to one goroutine.
//
// Its invariants. Every wait has a deadline. What Read returns aliases the Conn's
// buffer. A time-out of Read loses nothing, any other error ends the connection.
//
// What a full queue does. What is queued waits in memory until Flush, whose caller
// bounds it.
//
// Decisions.
//
//   - It shares no code with the server, because a fault in shared code would hide
//     itself; see perf/wire.
package chat
