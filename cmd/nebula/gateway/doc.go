// Package gateway joins sockets, frames and shards: it is what happens between
// a byte that the event loop read and a command in a room's mailbox, and the
// only place that knows all three.
//
// What it does not know: files, SQL, Redis, cookies' signatures and HTML. Who a
// client is, whether an origin may connect and where plain HTTP goes are
// functions in Config.
//
// Goroutines: none of its own. There is one Loop value for each event loop and
// all of its methods run on that loop's goroutine; Gateway holds what loops
// share (counters, limits, the draining flag), all of it atomic or locked.
//
// Invariants:
//   - Bytes lent by netpoll are never kept: what outlives Data is copied into a
//     frame.Buf (a chat message, encoded once) or into a string (a room's name,
//     at join).
//   - Every accepted frame has exactly one outcome: a command posted, a reply,
//     or the close of its connection with the code that protocol.md names.
//   - For every Join that was posted a Leave or a Gone is posted, once.
//
// What a full queue does: a shard's mailbox refuses messages, which answers
// error/busy; joins and leaves are never refused, because a connection can have
// only one unanswered join for each room. The listener for plain HTTP takes
// 256 waiting connections and answers 503 past that.
//
// Decisions:
//   - A connection has no session before its upgrade: a half-sent handshake
//     costs netpoll's connection and its few bytes, nothing here.
//   - An upgrade that reaches net/http on a kept-alive connection (a proxy that
//     reuses its connections does that) is hijacked and given back to a loop
//     with its head written out again, so that there is one way to upgrade.
//   - A reply and the answers to all frames of one read leave in one send.
package gateway
