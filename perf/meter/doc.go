// Package meter reads the clock that all processes of a machine share, and what
// the kernel says of a process: CPU time and resident memory.
//
// What it does not know. What the process is. Children are not included: a
// server that forked would have to be measured as several.
//
// Its goroutines. None.
//
// Its invariants. Times are nanoseconds of CLOCK_MONOTONIC, so those of two
// processes can be compared. CPU never runs backwards.
//
// What a full queue does. There is none.
//
// Decisions.
//
//   - Total CPU comes from the process's CPU clock (clock_getcpuclockid(3)),
//     which counts nanoseconds; /proc/PID/stat counts ticks of 10 ms, too coarse for
//     short runs. Only the split into user and system is taken from there.
package meter
