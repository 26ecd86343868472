package hist

import (
	"math/bits"
	"time"
)

const (
	subBits = 7 // 128 buckets to each doubling
	subs    = 1 << subBits
	buckets = (41-subBits)*subs + subs // up to 2^41 ns, 36 minutes
)

// Hist is a histogram of durations in nanoseconds; the zero value is empty.
type Hist struct {
	counts [buckets]uint64
	total  uint64
	sum    float64
	most   int64
}

// Record counts one duration; what is negative counts as 0.
func (h *Hist) Record(ns int64) {
	ns = max(ns, 0)
	h.counts[bucketOf(ns)]++
	h.total++
	h.sum += float64(ns)
	h.most = max(h.most, ns)
}

func bucketOf(ns int64) int {
	if ns < 2*subs {
		return int(ns)
	}
	shift := bits.Len64(uint64(ns)) - subBits - 1
	return min(shift*subs+int(ns>>shift), buckets-1)
}

// upper is the largest value of a bucket.
func upper(bucket int) int64 {
	if bucket < 2*subs {
		return int64(bucket)
	}
	shift := bucket/subs - 1
	return int64(bucket-shift*subs+1)<<shift - 1
}

// Total is how many were recorded.
func (h *Hist) Total() uint64 { return h.total }

// Max is the longest, exactly.
func (h *Hist) Max() time.Duration { return time.Duration(h.most) }

// Mean is the mean, exactly; 0 of nothing.
func (h *Hist) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.total))
}

// Quantile is the duration that a share q (0 to 1) of the recorded ones does not
// exceed; 0 of nothing.
func (h *Hist) Quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	want := uint64(q*float64(h.total) + 0.9999999)
	want = min(max(want, 1), h.total)
	seen := uint64(0)
	for i, n := range h.counts {
		if seen += n; seen >= want {
			return time.Duration(min(upper(i), h.most))
		}
	}
	return h.Max()
}

// Reset empties h.
func (h *Hist) Reset() { *h = Hist{} }

// Add counts everything that o counted.
func (h *Hist) Add(o *Hist) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.sum += o.sum
	h.most = max(h.most, o.most)
}
