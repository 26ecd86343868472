package bus

import "strconv"

// Every key of partition p bears the hash tag {p}, so that a Redis Cluster keeps a
// partition together.
//
//	nebula:{p}:meta     hash: epoch, raised, go, opened (epochs and when), n; turn, side,
//	                    base, mid (the dedupe window); size (of entries, smoothed)
//	nebula:{p}:log      stream: id epoch-n, field e
//	nebula:{p}:ids:0,1  hash: digest of room, user and id -> seq, time; two buckets by turns
//	nebula:{p}:seq:0,1  hash: room -> newest seq; likewise
//	nebula:{p}:epochs   hash: epoch -> n of its first entry
//	nebula:{p}:ready    hash: node -> epoch for which it put back what it holds
//	nebula:{p}:who:NODE hash: room NUL user -> since (48 bits) and name, and "" -> version
//	nebula:{nodes}      hash: node -> its lease, and "" -> partitions
type keys struct {
	meta, log, ids0, ids1, seq0, seq1, epochs, ready string
	channel                                          string
	who                                              string // a node's name follows
}

const nodesKey = "nebula:{nodes}"

// keysOf returns the names of a partition's keys. Channels know nothing of database
// numbers, so the number becomes part of the channel's name.
func keysOf(partition, db int) keys {
	p := "nebula:{" + strconv.Itoa(partition) + "}:"
	k := keys{
		meta: p + "meta", log: p + "log", ids0: p + "ids:0", ids1: p + "ids:1", seq0: p + "seq:0", seq1: p + "seq:1",
		epochs: p + "epochs", ready: p + "ready", channel: p + "live", who: p + "who:",
	}
	if db != 0 {
		k.channel += ":" + strconv.Itoa(db)
	}
	return k
}
