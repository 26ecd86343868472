// Package hist counts durations in a fixed number of buckets, as HdrHistogram
// does: exact below 256 ns, within 1/128 of the value above; and takes the median of
// what several runs gave.
//
// It does not know clocks. It starts no goroutine; a Hist belongs to whoever
// holds it. Recording neither allocates nor fails: what is too long is counted
// in the last bucket, and Max stays exact. It has no queue.
//
// Decision: percentiles are the upper end of their bucket, so that rounding never
// makes a server look faster than it is.
package hist
