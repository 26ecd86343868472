// Command nebula is a real-time chat server: rooms, messages, presence and
// history over WebSocket. It runs alone, with an embedded database:
//
//	go run ./cmd/nebula
//
// What it does not know: how anything works. It reads the settings (config.go),
// joins the packages (app.go), tells the metrics what to read (snapshot.go) and
// owns the order of starting and stopping.
//
// Goroutines: main; one for each http.Server; those of the packages it starts.
//
// Start: folder and its lock, database, shards, event loops (the port), HTTP,
// ready. Stop: no new clients or messages, goodbye to everyone, what was
// accepted is committed, acked and delivered, sockets are closed with 1012 once
// flushed, loops, shards, database. Each step of the stop has what is left of
// -drain as its deadline.
//
// Exit codes: 0 after a clean stop, 1 if it could not start or something was
// cut at the end, 2 for settings that make no sense.
//
// Decisions:
//   - The public port belongs to the event loops; net/http serves what they
//     hand over through a listener of ours. So there is one port and no
//     goroutine for each socket.
//   - Flags by the standard library: a flag for each setting, the same name in
//     the environment, nothing else to learn.
package main
