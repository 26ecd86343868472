// Package netpoll moves bytes between TCP sockets and a Handler with a handful
// of goroutines: each event loop polls its sockets, reads into one buffer, and
// anybody may send on a connection without asking its loop. There are two engines:
// ours over epoll(7), for Linux, and one over github.com/tidwall/evio, for other
// systems and to compare. One test suite tells what both do; what is said here is
// said of ours, and of evio's further down.
//
// What it does not know: HTTP, WebSocket, chat. A payload is bytes with a
// reference count; where one frame ends, only Config.FrameEnd can tell.
//
// Goroutines: one for each loop, and one that waits for them to end. All Handler
// methods of a loop run on its goroutine. Conn.Send, Finish, Close and Remote, and
// Engine's methods, may be called from any goroutine. Locks: a connection's, then
// the door's of its loop; neither is held while a Handler runs, but Payload's
// methods and Config.FrameEnd are called under the connection's.
//
// Invariants:
//   - Only its loop closes a connection's descriptor, and only after it set the
//     state under the connection's lock: nobody can send on a reused number. The
//     epoll data carry a generation, so that an event for the descriptor's last
//     owner is dropped.
//   - Payloads leave in the order of Send, each whole, until one is dropped for
//     the limit; then the frame in flight is finished, SlowClose follows, and
//     nothing else. A state only ever moves towards closed (see state).
//   - Nothing that is ready is left alone: level-triggered, it would make every
//     wait return at once. A connection that is ending is read and not listened to;
//     one whose peer has ended its direction is watched for writing only; a listener
//     that cannot accept is disarmed for acceptPause.
//   - No error of a connection and no failed accept ends a loop.
//   - What is posted to a loop is run, at its end at the latest, or refused: a
//     descriptor in a posted function cannot be lost. After the end nobody writes to
//     the loop's eventfd, whose number may be another's by then.
//   - Every byte queued is counted once out of Stats.QueuedBytes again, and every
//     reference released once, whatever ends the connection.
//
// What a full queue does: past Config.SendBytes for one connection, or
// Config.SendBytesTotal for all (looked at without a lock: many senders at once may
// go over it by a payload each), the connection that was being sent to is closed
// as slow. The last bytes of Finish go over the limits. The door (post) is unbounded;
// its callers are bounded: one function for each connection and state change.
//
// A peer that vanished is found by silence, not here: SetDeadline is for that, and
// CutAfter bounds what comes after Finish. There is no keep-alive and no
// TCP_USER_TIMEOUT, so a connection without a deadline may stay for ever.
//
// Decisions; figures without a command are from the trials in perf/README.md:
//   - Blocking epoll_wait and one runtime.Gosched after a batch: cheapest of the
//     five ways to wait that were measured.
//   - sendto by RawSyscall under a short mutex, straight from the goroutine that
//     has something to say: waking a blocked loop costs 13 us, more than two sends.
//     A post to a loop that is awake, its own above all, wakes nobody.
//   - Level-triggered, EPOLLOUT armed only while something waits: no measurable
//     difference to edge-triggered, and no event can be missed.
//   - Connections are ordinary heap values and never reused: a stale pointer meets
//     a closed connection, not somebody else's. They are 96 bytes (they were 168),
//     in a slice by descriptor (it was a map): an idle one costs 104 bytes, its struct
//     and the 8 of its place. What only a busy one needs (queue, tail) it takes from a
//     pool and gives back.
//   - A backlog leaves by sendmsg, 64 payloads a call: 16 contiguous ones cost 1.04,
//     16 gathered 1.16, 16 calls 16.
//   - A rest of up to 4 KiB is copied in front of the next read, so that a read is
//     as long as the buffer allows; a longer one is read behind, or a frame of 64 KiB
//     sent byte by byte would cost 8 GiB of copying.
//   - Busy is read from two timestamps, not from what the loop last wrote: a loop
//     that blocks would go on telling of its last busy window.
//   - The wheel's ticks are 125 ms: deadlines are heartbeats and time-outs, never
//     early, and up to a tick late.
//
// The evio engine (evio v1.0.8; files evio*.go) passes the same suite. It keeps what
// is to be sent itself, and at every turn of a connection gives evio all of it, of
// which it learns by reflection how much is left: evio takes what it is given for its
// whole output, and would lose the rest. What is different:
//   - Send never writes: it wakes the loop, for about 12 us and an allocation a
//     delivery. What is sent waits at first, and counts as such until the loop has
//     looked again, 5 ms later if nothing happens before. So a payload larger than
//     Config.SendBytes, or that much said in one turn, always ends the connection, and
//     a slow peer's backlog is copied each time that something is added.
//   - evio reads nothing while output is pending: that a peer has ended its direction
//     shows only after it has taken what waits.
//   - EndBatch comes after every event: evio does not tell where a wait ends. Nor does
//     it tell when it waits: Busy is the share that the process has of all CPUs.
//   - Loops take connections as they come, not in turn.
//   - MaxConns is kept 128 below the limit of open files, or at half of it if that is
//     below 256: if accept fails, evio ends all loops and connections. It is then started
//     again on the same port, and Stats.RejectedFiles counts it. If there are no files
//     left even for that, evio hangs.
//   - Adopt joins the connection to a new one to the own port by two goroutines that
//     copy, because evio cannot be given a descriptor. It takes two more descriptors.
//   - A deadline is a timer of package time; a connection's struct has 280
//     bytes, besides evio's.
//   - Closing, evio closes its listener's descriptor twice: what another goroutine opens
//     at that moment may be closed with it.
package netpoll
