// Package crowd is the clients of a fault run: members who send and read, lose
// their connections, come back, resend and resume as protocol.md asks, and keep a
// record of everything that they sent and were told.
//
// What it does not know. Processes, and what is done to them: it is told where to
// connect, and that may be nowhere. Whether what it saw is right: verdict tells.
//
// Its goroutines. One for each member, which owns its connection, outbox and tape
// until Wait returns. An Inspector has none.
//
// Its invariants. A message is kept and sent again, with the same id and in the
// same order, until it is acked. A member's cursor never passes a message that it
// does not have. Every wait has a deadline; after Stop a member leaves within
// a tick, or when its dialling ends.
//
// What a full queue does. A member with a window of unacked messages sends no new
// one. The tapes grow for as long as the run lasts.
//
// Decisions.
//
//   - Every other room is quiet: what is missed there in a restart fits one page, so
//     that resumes are answered whole; in the others they rarely are.
//   - A newest page leaves a gap; the cursor stays before it until pages of history
//     closed it, so that a connection which ends meanwhile costs nothing.
//   - Pages are asked for until one holds a message that the member has at the same
//     place: below it nothing differs, since an epoch is committed in order.
package crowd
