// Package shard is the chat itself: rooms, members, presence, the order of
// messages, and their delivery.
//
// What it does not know: sockets, SQL, Redis, and the time of day. Those come as
// Outlet, Journal, History, Relay, and as arguments.
//
// Goroutines: Shard has none; it is a state machine that its Runner drives. A
// Runner's turn runs on the goroutine that posted, if the shard is free, else on the
// one that is in a turn already or on the Runner's own.
//
// Invariants:
//   - A message is journaled before anyone sees it; a refused one spends no seq. So
//     the journal has no holes.
//   - What was sent in a room's turn reaches each member in one send, in order;
//     a join flushes it first, so a member sees nothing from before its joined.
//   - The tail holds everything uncommitted and at least tailKeep messages, more
//     than a page: once a room is loaded, no join needs the database.
//
// In a cluster, where the Relay takes a message and Set.Order brings it with its place:
//   - All nodes are told the entries of one log in its order, and each shows a room's
//     messages in that order, its own ones too. A message that does not follow on what
//     members saw (the bus lost something) is not shown as if it did: they are answered
//     joined anew. So is who saw what is not history (Set.Reload).
//   - An ack waits for its message's place, by hash, and then for its commit. It tells of
//     a place that this node's Journal has, never of one that only the bus knows.
//   - A room that is not in memory is made from History, once that has all that was
//     ordered before; what is ordered meanwhile waits and is applied once.
//   - Who is elsewhere is on the list, keeps no room in memory, and is announced only
//     with the first coming to and the last going from all nodes.
//
// What a full queue does: Set.Post refuses messages and questions (error/busy);
// joins, leaves, commits, replays and all that the Relay's other end tells are always
// taken. A full Journal refuses the message (error/busy), or holds back the bus; a full
// History is asked again until loadPatience. No more messages wait for their place
// than a mailbox holds (error/busy), none longer than ackPatience (error/unavailable).
// When too many entries' messages wait for rooms to load, they are dropped and those
// rooms loaded again.
//
// Decisions:
//   - Members stand in a slab of Outlets, so that a fan-out reads memory in order.
//   - Rate limits are golang.org/x/time/rate's token buckets: kept, exact, and
//     without allocation.
//   - Partition is FNV-1a and not seeded: every node must find the same shard. Who fills
//     one shard on purpose could as well fill one room.
//   - Places are compared with their epoch throughout, since a seq may be given again
//     when the bus lost the first one.
//   - Members are not told of a new epoch of the bus until they join again. A cursor whose
//     seq a later epoch gave too is taken for unknown: the newest page is always right.
package shard
