// Package persist keeps messages in a SQLite database: one writer with group
// commit, and a few readers of history.
//
// What it does not know: sockets, members, the time of day, and who may read what.
//
// Goroutines: one writer, two readers, and one around them that closes what is left.
// Callers only ever put something in a queue.
//
// Invariants:
//   - A notice is sent after the commit that it tells of, by the writer.
//   - Records of a room are written in the order of Append; (room, epoch, seq)
//     names one message.
//   - A Load is answered from a state that holds everything of its room that was
//     appended before the question.
//
// What a full queue does: Append and Replay refuse. While the database cannot write,
// the batch is kept and tried again, and the queue behind it fills up.
//
// Decisions:
//   - zombiezen.com/go/sqlite drives modernc.org/sqlite's engine without
//     database/sql: 0 instead of 12 allocations a row.
package persist
