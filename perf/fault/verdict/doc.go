// Package verdict decides whether a server that was killed again and again kept
// its promises: no acked message lost, one order without holes, every place named
// once, every cursor resumed exactly (protocol.md sections 2 to 4).
//
// What it does not know. Sockets, processes, clocks, and how the record came to
// be: it is given everything that clients sent and were told, and the history as
// it stands at the end, and compares.
//
// Its goroutines. None; a Verdict belongs to one goroutine.
//
// Its invariants. Nothing in a Record can make it panic. A fault is counted under
// one kind where it is found; one broken promise may well break others, and is
// then found there too.
//
// What a full queue does. There is none. Memory grows with what was seen; the
// sentences about faults are kept up to a limit, the counts are not limited.
//
// Decisions.
//
//   - The history tells no epochs, so the end of each epoch is not known. It need
//     not be: a cursor (epoch, k) is within its epoch's end exactly if the message
//     that the epoch put at k is the one that history has there, because an epoch's
//     messages are committed in order.
//   - A message that was seen and is gone is no fault, unless it was acked, its
//     server was stopped cleanly, a later message of the same epoch was kept, or it
//     had outlived a restart before.
//   - Alone, a server opens an epoch each time it starts, so that an epoch of two
//     starts is a fault. In a cluster the bus gives epochs: Record.Shared.
//   - What pages show counts as seen in the epoch of the connection: within one run
//     of the server a place names one message, whoever is told of it and how.
//   - A newest page has 50 to 200 messages where the room has as many: the protocol
//     names both figures.
package verdict
