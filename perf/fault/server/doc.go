// Package server runs a chat server as a process of its own, which is started
// and killed as often as one likes.
//
// What it does not know. What is said there, and why anybody kills it.
//
// Its goroutines. One for each start, which reads its log and waits for its end.
//
// Its invariants. At most one process at a time. Close leaves none. Every wait has
// a deadline. Each start has a number, from 1, which clients are told in the
// welcome as the name of the node, unless the node is to have a name for good. Addr
// follows a server that begins again at another port by itself, as one of a cluster
// does after it copied another's history.
//
// What a full queue does. There is none; of the log the last lines are kept.
package server
