// Package bus decides who gives a message its place in a room's order: Local on one
// machine, Redis in a cluster of equal nodes.
//
// What it does not know: sockets, SQL, frames. Rooms and Ledger are what it asks of the
// node; partition p is shard p.
//
// # The log
//
// Each partition has a log on the bus, a stream whose entries have the ids epoch-n: n
// counts them and never starts again, epoch names a run in which the bus lost nothing.
// A batch of messages becomes one entry by one script call (scripts.go), which also
// publishes it on the partition's channel. All nodes apply all entries in the log's
// order, the sender's node too; an entry that does not follow directly on what a node
// has makes it read the log. What a node applied it stores, with its place, so that after any
// crash it goes on where its database ends.
//
// # After the bus lost something
//
// A server that was restarted, or has taken over, does not know the scripts (NOSCRIPT);
// one that was emptied has another epoch (EPOCH); one that was rolled back has less than
// a node (BEHIND). Each such answer wrote nothing. The node then raises the epoch, which closes
// the partition: nobody can put messages in order. All nodes put back what they hold and
// the log lost, and say so; the last one, or the first to have been patient, opens the epoch by
// giving the bus its script. Nothing is put back behind an entry that the node may not have
// had: of one without messages a node that has restarted does not know the epoch, and so not
// whether the one in its place is the same. A node that was away meanwhile and holds entries that the
// others went on without has forked: its messages go into the log as Restored ones, for
// they may have been acked, and it takes back and applies again what came after the
// last common entry.
//
// # Nodes and presence
//
// Each node renews a lease (lease.go, roll.go). A node whose lease stood still for 9 s is
// dead; each node measures that by itself, and time in which it could not look does not
// count, so that nobody dies of an outage of the bus. Of two processes with one name the
// one that started later has it; the other is refused.
//
// A node keeps its members of each partition in a hash with a version (roster.go). A
// change goes there and is published in one step, if the hash is of the version before
// it; else, and whenever the bus has another version, the node writes all anew, in parts
// that nobody reads before the last. The others keep a replica of it (mirror.go): a change
// that follows directly is made, and what has a hole before it, or differs in two
// comparisons a second apart, is read as a whole. So who is where is right again 2 to 3 s
// after the bus is, 12 s after a node died at the latest.
//
// # Goroutines
//
// Of each partition: a sequencer (one batch in flight, which makes the queue's order
// the room's order), a listener (hands on what is published), and a receiver, which
// alone applies entries, reads the log, and brings the partition back. One watcher
// compares all heads every second, so that a lost last message and a rolled-back idle bus are
// noticed, finds out that the bus is back, and asks for an entry of this node's own if
// none came back lately, for Ready. The directory has four (directory.go). Each call to
// Redis runs on a goroutine of its own that is left behind when its time is up, one at a
// time for each caller (lane.go). All end with Close.
//
// # Invariants
//
//   - Apply gets the entries of a partition in order, without holes, each once, but after Forked.
//   - A message that Publish took comes by Apply, or is answered; within about 5 s.
//   - Messages of one goroutine to one partition keep their order: when a batch fails, all
//     that wait behind it fail.
//   - seq rises within an epoch without holes and never repeats; it is above Floor.
//   - Of an epoch that is open there is soon an entry, if need be an empty one: the rooms know their
//     epoch by it, and tell it to who joins. A node of a new log is not ready before.
//   - Nothing is acked here: a message is safe once the node that acks it has stored it.
//
// # What a full queue does
//
// The queue of a partition holds 16 batches of up to 128 messages or 64 KiB: past them
// Publish says Busy; so it does when 64 batches have not come back. The inbox of a
// receiver holds 1 MiB: past that live entries are dropped and read from the log. An
// entry that Apply refuses is offered again, and nothing behind it is kept. Changes of
// presence wait as a set that is never larger than the members. Of typing 256 notices
// wait, and more are dropped; of what other nodes say 512: if one more was of presence,
// the next shows that it is missing.
//
// # What Redis must be
//
// Redis 7 or Valkey: before 7 replicas were given the scripts, and NOSCRIPT proves nothing.
// `appendonly yes`, `maxmemory-policy noeviction`, `lazyfree-lazy-expire yes`. The user needs
//
//	+@connection +@pubsub +@stream +@hash +eval +evalsha +unlink +time +cluster|slots +cluster|shards +role
//
// on ~nebula:* and &nebula:*; the last one only if Sentinels tell which server is the master.
//
// # Decisions
//
// Figures are from the trials in perf/README.md.
//
//   - 2026-11: one machine is a bus that says "here", rather than a shard that knows whether
//     there is a cluster.
//   - 2026-11: a log and Pub/Sub, not a blocking read of the log: a blocking read notices
//     nothing while Redis stands still, and costs three times the CPU at 1,000 messages a second.
//   - 2026-11: the epoch is part of the script's text. So the script cache, which is empty after
//     every restart, tells for nothing, and in the same step as the batch, that the server
//     restarted since the epoch was opened.
//   - 2026-11: the dedupe window is two buckets of 15 s that are unlinked by turns, not
//     fields that expire: 64 buckets of 47,000 that expire together stall Redis for 0.5 s.
//     What is older the caller must know, or is LATE.
//   - 2026-11: epochs are at least Unix ms: a plain +1 could be given twice if the raise itself is
//     rolled back.
//   - 2026-11: a member's entry says since when, and the newest of several nodes' names is
//     shown: clocks decide about a name, and about nothing else.
//   - 2026-11: the same of two processes of one node's name; a bus that was rolled back had the
//     lease of the node's last process, and the running one took that for a newer one and ended.
//   - 2026-11: Ledger.Newest, because a node may have been used alone in between, or by another
//     clock: what is said later must be of a later epoch, or it sorts before that.
//   - 2026-11: members are read by one HGETALL, as they are at one moment: 20,000 take 14 ms.
package bus
