// Package netpoll moves bytes between TCP sockets and a Handler with a handful
// of goroutines: each event loop polls its sockets with epoll(7), reads into one
// buffer, and anybody may send on a connection without asking its loop.
//
// What it does not know: HTTP, WebSocket, chat. A payload is bytes with a
// reference count; where one frame ends, only Config.FrameEnd can tell.
//
// Goroutines: one for each loop, no other. All Handler methods of a loop run on
// its goroutine. Conn.Send, Finish and Close, and Engine's methods, may be called
// from any goroutine.
//
// Invariants:
//   - Only its loop closes a connection's descriptor, and only after it set the
//     state under the connection's lock: nobody can send on a reused number. The
//     epoll data carry a generation, so that an event for the descriptor's last
//     owner is dropped.
//   - Payloads leave in the order of Send, each whole, until one is dropped for
//     the limit; then the frame in flight is finished, SlowClose follows, and
//     nothing else.
//   - No error of a connection and no failed accept ends a loop. Past the limit of
//     open files the listener is disarmed and tried again acceptPause later.
//
// What a full queue does: past Config.SendBytes for one connection, or
// Config.SendBytesTotal for all, the connection that was being sent to is closed
// as slow. The door (Post) is unbounded; its callers are bounded: one function for each
// connection and state change.
//
// Decisions, with the measurements in the project's notes on this kind of machine:
//   - Blocking epoll_wait and one runtime.Gosched after a batch: cheapest of the
//     five ways to wait that were measured.
//   - sendto by RawSyscall under a short mutex, straight from the goroutine that
//     has something to say: waking a blocked loop costs 13 us, more than two sends.
//   - Level-triggered, EPOLLOUT armed only while something waits: no measurable
//     difference to edge-triggered, and no event can be missed.
//   - Connections are ordinary heap values and never reused: a stale pointer meets
//     a closed connection, not somebody else's.
package netpoll
