// Command loadgen loads a chat server over loopback, judges everything that comes
// back, and prints one JSON result on standard output.
//
// What it is for. Every figure about Nebula under load: `loadgen -h` lists the
// modes, `loadgen MODE -h` the flags of one. With -server it starts the server
// itself and stops it at the end, so that one command line is one measurement; with
// -nodes several, a cluster on addresses that follow each other, which is metered as one.
// Exit code 0: nothing was lost, doubled, misordered or broken; 1: something was,
// or the run could not be made; 2: bad flags.
//
// What it does not know. The server's inside; how other servers do (perf/rows
// puts two beside each other).
//
// Its goroutines. The main one leads; workers are processes of the same program
// (one event loop of perf/load each), told what to do by a line of JSON on their
// standard input, whose end ends them. A step has one goroutine more, which waits
// for the workers' answers while the main one meters the server.
//
// Its invariants. It connects to loopback only. Every phase has a deadline. After
// SIGINT or SIGTERM no worker and no server that it started is left.
//
// What a full queue does. There is none here; see perf/load.
//
// Decisions.
//
//   - Workers are processes, because one may hold 20,000 files at most and so that
//     each loop's CPU time is its own.
//   - The server's CPU time is read at the edges of the window, on the same clock
//     that the workers publish by.
//   - One result holds the counts of faults and the verdict on them, so that no
//     figure can be quoted from a run that lost something.
package main
