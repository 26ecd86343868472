// Package wire reads and writes the few bytes of RFC 6455 and of the chat
// protocol that the measuring programs need, without allocating.
//
// It is deliberately not the server's own package: the checker must not trust
// what it checks.
//
// It does not know sockets, clocks or rooms. It starts no goroutine. What it
// returns aliases what it was given. It has no queue.
//
// Decision: objects are walked by key, not decoded, because the generator reads
// up to two million of them a second and needs two numbers of each.
package wire
