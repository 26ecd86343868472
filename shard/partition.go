package shard

// FNV-1a of 64 bits, http://www.isthe.com/chongo/tech/comp/fnv/.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// Partition returns the shard of a room when there are so many shards, a power of two:
// the same on every node and after every start.
func Partition(room string, shards int) int {
	h := uint64(fnvOffset)
	for i := range len(room) {
		h = (h ^ uint64(room[i])) * fnvPrime
	}
	return int((h ^ h>>32) & uint64(shards-1))
}
