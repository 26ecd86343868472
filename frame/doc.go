// Package frame turns bytes into WebSocket frames and chat messages, and back:
// pooled buffers, the opening handshake, the incremental RFC 6455 parser of the
// server's side, and everything that clients and the server say, in JSON and in
// protobuf (Codec; nebula.proto is the schema).
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
//   - Server frames are unmasked and the same for every member who speaks a codec,
//     so one Buf serves a whole room.
//   - A message is kept in JSON, and written in protobuf from there (AppendMessage,
//     about 120 ns) once for a turn of a room in which somebody speaks it: kept in both,
//     a usual message would take a Buf of twice the size.
//   - The codec of protobuf is written by hand: what it reads aliases the payload, and
//     what it writes is appended. Tests hold it against Google's library and the schema.
//     A message that cannot be read is CodeBadJSON there too: the code's name is fixed.
//   - Strings of JSON are read and written eight bytes at a time: Decode of a 128-byte
//     text takes 142 ns (249 byte by byte), of 4 KiB 1.2 us (3.3).
//
// Figures: go test -run '^$' -bench 'Decode|AppendMessage' ./frame.
package frame
