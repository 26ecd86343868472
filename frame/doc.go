// Package frame turns bytes into WebSocket frames and chat messages, and back:
// pooled buffers, the incremental RFC 6455 parser of the server's side, and
// every message that the server says.
//
// What it does not know: sockets, rooms, who is allowed to do what.
//
// Goroutines: none. A Parser belongs to whoever owns the connection; a Buf to
// one owner at a time until it is shared, and then nobody writes to it.
//
// Invariants:
//   - The length that a peer declares is checked before anything is allocated.
//   - A chat message is encoded once: EncodeMessage leaves blanks of fixed width
//     where seq and time will stand, Stamp fills them, from then on everyone reads.
//   - Every Buf is released exactly once for each reference; one too many panics,
//     one too few shows in Live. The build tag nebuladebug poisons freed Bufs and
//     checks that shared ones do not change.
//
// What a full queue does: there is none.
//
// Decisions:
//   - Constants, checks and the cipher are gobwas/ws's. Its readers are not used:
//     they block, and ReadHeader allocates where parsing in place does not.
//   - Server frames are unmasked and the same for every member, so one Buf serves
//     a whole room.
package frame
