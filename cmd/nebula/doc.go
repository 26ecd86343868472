// Command nebula is a real-time chat server: rooms, messages, presence and
// history over WebSocket. It runs alone, with an embedded database:
//
//	go run ./cmd/nebula
//
// or, with -redis, as one of several equal nodes.
//
// What it does not know: how anything works. It reads the settings (config.go),
// joins the packages (app.go; relay.go and member.go the two directions between
// shards, database and bus), tells the metrics what to read (snapshot.go) and owns
// the order of starting and stopping.
//
// Goroutines: main; one for each http.Server; in a cluster one that waits until this
// node has what the cluster has, and one that waits until it needs a copy of another
// node's history; those of the packages it starts.
//
// Start: folder and its lock, database, bus, shards, event loops (the port), HTTP,
// ready; in a cluster that comes once the node has caught up. Stop: no new clients or messages, goodbye to everyone, what was
// accepted is committed, acked and delivered, sockets are closed with 1012 once
// flushed, loops, bus, database, shards. Each step of the stop has what is left of
// -drain as its deadline.
//
// Exit codes: 0 after a clean stop, 1 if it could not start or something was
// cut at the end, 2 for settings that make no sense.
//
// Decisions:
//   - The public port belongs to the event loops; net/http serves what they
//     hand over through a listener of ours. So there is one port and no
//     goroutine for each socket.
//   - A node whose history ends before the bus's log begins fetches a copy from
//     another one's admin address (copy.go), stops, puts the copy in its place and starts
//     again: no part has to bear that its history is exchanged under it. Its clients,
//     if it has any, are told to reconnect as in every stop. Where no node is left that
//     has the history, it waits: going on would be a hole. A node that has no history asks
//     the others before it is ready, because the log may never have held theirs: it may be from
//     a time on one machine. Who has only what came by the log says so, and is not copied.
//   - Flags by the standard library: a flag for each setting, the same name in
//     the environment, nothing else to learn.
package main
