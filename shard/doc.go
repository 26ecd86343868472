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
//   - A message is journaled before it gets its seq and before anyone sees it; a
//     refused one spends no seq. So the journal has no holes.
//   - What was sent in a room's turn reaches each member in one send, in order;
//     a join flushes it first, so a member sees nothing from before its joined.
//   - The tail holds everything uncommitted and at least tailKeep messages, more
//     than a page: once a room is loaded, no join needs the database.
//
// What a full queue does: Set.Post refuses messages and questions (error/busy);
// joins, leaves, commits and replays are always taken. A full Journal refuses the
// message (error/busy), a full History is asked again until loadPatience.
//
// Decisions:
//   - Members stand in a slab of Outlets, so that a fan-out reads memory in order.
//   - Rate limits are golang.org/x/time/rate's token buckets: kept, exact, and
//     without allocation.
package shard
