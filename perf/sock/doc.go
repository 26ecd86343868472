// Package sock is the few system calls that the load generator and the floor
// make: non-blocking TCP sockets on loopback, and epoll.
//
// What it does not know. Frames, clients, time budgets.
//
// Its goroutines. None; a Poller belongs to one goroutine.
//
// Its invariants. No call but Poller.Wait blocks. Nothing allocates after a
// socket is open.
//
// What a full queue does. Send says how much the kernel took; the rest is the
// caller's.
//
// Decisions.
//
//   - send and recv are raw system calls: they never block, so the Go scheduler
//     need not hear of them, which costs 5 % of a write (the trials in perf/README.md).
//   - Wait polls raw first and tells the scheduler only when it has to sleep: a
//     loop under load then never gives its processor away.
package sock
