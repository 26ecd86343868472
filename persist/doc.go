// Package persist keeps messages in a SQLite database: one writer with group
// commit, and a few readers of history. In a cluster the messages come as entries of
// the bus's log; the database then also knows how far each partition of that log is
// stored, and can be copied to another node while it is in use.
//
// What it does not know: sockets, members, the time of day, who may read what, and how
// the bus puts messages in order.
//
// Goroutines: one writer, two readers, one checkpointer, and one around them that
// closes what is left. Callers only ever put something in a queue; those of Stored and
// Backup read on their own goroutines, over a connection that is opened for the call.
//
// Invariants:
//   - A notice is sent after the commit that it tells of, by the writer.
//   - Records of a room are written in the order of Append; (room, epoch, seq)
//     names one message.
//   - A Load is answered from a state that holds everything of its room that was
//     appended before the question.
//   - An entry is stored in one transaction, with the place of its partition; so a
//     place is exactly what is stored, whenever the process ends. Entries at or below a
//     place only add what is not there, and move nothing.
//   - A Restored message has its own place unless the room has it at another one. Nodes
//     that met it in another order end with the same rows that have a text.
//   - Restore and Replace leave one whole database, or none, or the one of before.
//   - A file that is not ours, damaged or of a newer schema is refused and stays as it
//     is, byte for byte.
//
// What a full queue does: Append and Replay refuse, and AppendEntry refuses the entry
// whole. Stored and Backup wait for a seat until their context ends. While the database cannot write,
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
//     database/sql: 0 instead of 12 allocations a row (the trials in perf/README.md).
//   - Tests put a VFS of their own below SQLite (disk_test.go) to refuse, delay and
//     record what it does to files. That runs everywhere, without root, and reaches
//     what a small file system cannot: a failing fsync, a write torn by a power cut.
//   - The index of places ends with hash and time, so that it alone answers which ids are
//     in the dedupe window.
//   - 2026-11: what an entry brought is found by a chain in the rows themselves, and not
//     by an index of entries: a transaction gives each partition's messages numbers n in a
//     row, and the first of them names the row before. That is three columns which are
//     mostly empty, and a row of table place for each partition and transaction, instead
//     of one more tree to insert into; it grows and goes with the messages.
//     Measured on a busy machine (go test -run '^$' -bench 'Entries|Stored' ./persist): half a byte a message, no time that shows beside the same
//     records without entries, and 8 µs a message to read them again.
//   - 2026-11: a transaction takes entries whole, beyond 1,000 records if it must, rather
//     than to keep half an entry apart from its place.
//   - 2026-11: a copy is of rows, not of pages. A copy of pages needs either the disk space
//     twice, or a read transaction for as long as the peer takes to read, while the log
//     grows without bound. Rows with numbers n up to a moment's last one never change but
//     for what Config.Retain removes, so they are that moment's, whenever they are read;
//     the receiver pays with making the index. Nodes of two versions understand each other
//     until copyFormat is raised.
package persist
