package shard

import "sync/atomic"

// Bounds of time histograms, seconds.
var timeBounds = []float64{
	.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .15, .25, .5, 1, 2.5, 5, 10,
}

// Histogram counts observations in buckets; any goroutine.
type Histogram struct {
	bounds []float64
	counts []atomic.Uint64 // the last one is above all bounds
	sum    atomic.Uint64   // in millionths
}

// NewHistogram returns a Histogram with these upper bounds, rising; nil: times in
// seconds.
func NewHistogram(bounds []float64) *Histogram {
	if bounds == nil {
		bounds = timeBounds
	}
	return &Histogram{bounds: bounds, counts: make([]atomic.Uint64, len(bounds)+1)}
}

// Observe counts v, weight times.
func (h *Histogram) Observe(v float64, weight int) {
	i := 0
	for i < len(h.bounds) && v > h.bounds[i] {
		i++
	}
	h.counts[i].Add(uint64(weight))
	h.sum.Add(uint64(v * 1e6 * float64(weight)))
}

// Snapshot returns the bounds, the count of each bucket and the sum.
func (h *Histogram) Snapshot() (bounds []float64, counts []uint64, sum float64) {
	counts = make([]uint64, len(h.counts))
	for i := range h.counts {
		counts[i] = h.counts[i].Load()
	}
	return h.bounds, counts, float64(h.sum.Load()) / 1e6
}

// add counts the observations of o, which has the same bounds, too.
func (h *Histogram) add(o *Histogram) {
	for i := range h.counts {
		h.counts[i].Add(o.counts[i].Load())
	}
	h.sum.Add(o.sum.Load())
}
