// Package persist keeps messages in a SQLite database: one writer with group
// commit, and a few readers of history.
//
// What it does not know: sockets, members, the time of day, and who may read what.
//
// Goroutines: one writer, two readers, one checkpointer, and one around them that
// closes what is left. Callers only ever put something in a queue.
//
// Invariants:
//   - A notice is sent after the commit that it tells of, by the writer.
//   - Records of a room are written in the order of Append; (room, epoch, seq)
//     names one message.
//   - A Load is answered from a state that holds everything of its room that was
//     appended before the question.
//   - A file that is not ours, damaged or of a newer schema is refused and stays as it
//     is, byte for byte.
//
// What a full queue does: Append and Replay refuse. While the database cannot write,
// the batch is kept and tried again after 50 ms, then twice as long each time up to
// 1 s, and the queue behind it fills up; Health says why.
//
// # Failpoints
//
// A server built with -tags nebulafault reads NEBULA_FAILPOINT, a list of
// name:action or name:action:count with commas between. The action is done once,
// when the place is passed for the count-th time (1 if it is not given):
//
//	kill       SIGKILL to the process itself
//	error      the step fails; where there is nothing to fail, nothing happens
//	sleep=2s   the goroutine sleeps
//
// The names, in the order of a message:
//
//	before-append      Append was called; error: it refuses
//	after-append       the record is in the queue
//	before-commit      the batch is inserted, COMMIT comes next; error: rolled back, tried again
//	after-commit       COMMIT is done; error: tried again, which finds everything stored
//	before-ack         committed is called next
//	after-ack          committed returned
//	before-checkpoint  the log is written back next; error: at the next look
//	after-checkpoint   the log is written back
//
// ack:early, the negative control, reports each batch before its commit. The log is
// written back 64 times as early as otherwise, so that a short run checkpoints often.
//
// # Decisions
//
//   - zombiezen.com/go/sqlite drives modernc.org/sqlite's engine without
//     database/sql: 0 instead of 12 allocations a row.
//   - Tests put a VFS of their own below SQLite (disk_test.go) to refuse, delay and
//     record what it does to files. That runs everywhere, without root, and reaches
//     what a small file system cannot: a failing fsync, a write torn by a power cut.
package persist
