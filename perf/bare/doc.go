// Package bare is the floor: the least that any server on this kernel does for
// the same deliveries. One epoll loop; a message becomes one frame of the same
// bytes that Nebula would send; the frame is written to each member with one raw
// send, in the order of a slice; the sender gets an ack.
//
// What it omits, all of it on purpose: storage and what an ack promises, the
// window for repeated ids, limits, presence, history, resume, heartbeats, UTF-8
// and JSON checks beyond finding four fields, fragments, the closing handshake,
// and above all any care for who reads slowly: a frame that the kernel does not
// take is dropped and counted, a frame that it takes in part ends the connection.
// So it is a floor for CPU per delivery while everybody keeps up, and nothing
// else. It does not gather frames either: with many messages in flight a server
// that does can be below it.
//
// What it does not know. Nebula's packages: it shares none with the server.
//
// Its goroutines. Run's caller. Close and the counters may be used from any.
//
// Its invariants. A room's seq rises by one with each message; members see it in
// that order as long as nothing is dropped. Nothing allocates per message.
//
// What a full queue does. There is no queue: see above.
//
// Decisions.
//
//   - A plain HTTP request is answered with an empty 200, so that whoever waits
//     for a server to be ready can wait for this one the same way.
package bare
