// Package load is the load generator: one event loop that plays many chat
// clients, publishes on time, and judges everything that comes back.
//
// What it does not know. The server's inside; other workers of the same crew
// (perf/loadgen merges what they report); what a good figure is.
//
// Its goroutines. One: every method of a Generator is called on it. Nothing else
// runs in a worker process.
//
// Its invariants.
//
//   - It connects to loopback addresses only.
//   - A received frame costs no allocation once its room has seen a few.
//   - A message is due at start + k/rate, whatever happened to the ones before;
//     its text carries that time, and latency is measured from it.
//   - Every live message is judged by its member's check.Stream, every answer by
//     the check.Ledger, every payload at least once by wire.
//   - Every run ends: each phase has a deadline.
//
// What a full queue does. What the kernel does not take of a client's frame waits
// with that client and is counted as blocked.
//
// Decisions.
//
//   - All members of a room get the same bytes. So each room keeps the newest
//     frames that were read and judged in full, by seq; a frame that equals, byte for
//     byte, the one that its member must get next needs no second reading. That is
//     a stricter check than reading it, and costs a tenth: at two million
//     frames a second the generator would else be the bottleneck.
//   - It reads once for each readiness: a socket with more is reported again, and
//     nobody starves.
//   - Publishing is looked at after every read, so that a loop that drowns in
//     reading still publishes on time.
//   - An ack is judged twice: by the seq under which its message came, and, after a
//     restart, by reading the whole history (Audit), because a server that acks
//     before it stores looks right until it is killed.
//   - Slow clients stop being watched for reading; their kernel buffers are made
//     small, or they would hide slowness for megabytes.
package load
