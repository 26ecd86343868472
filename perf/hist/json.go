package hist

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
)

// packed is a Hist on its way between two processes: only the buckets that count something.
type packed struct {
	Buckets [][2]uint64 `json:"buckets"` // number, count
	Sum     float64     `json:"sum_ns"`
	Most    int64       `json:"max_ns"`
}

// MarshalJSON writes what UnmarshalJSON reads, without loss.
func (h *Hist) MarshalJSON() ([]byte, error) {
	p := packed{Buckets: [][2]uint64{}, Sum: h.sum, Most: h.most}
	for i, n := range h.counts {
		if n > 0 {
			p.Buckets = append(p.Buckets, [2]uint64{uint64(i), n})
		}
	}
	return json.Marshal(p)
}

// UnmarshalJSON replaces what h counts.
func (h *Hist) UnmarshalJSON(b []byte) error {
	var p packed
	if err := json.Unmarshal(b, &p); err != nil {
		return fmt.Errorf("hist: %w", err)
	}
	h.Reset()
	for _, pair := range p.Buckets {
		if pair[0] >= buckets {
			return fmt.Errorf("hist: bucket %d of %d", pair[0], buckets)
		}
		h.counts[pair[0]] = pair[1]
		h.total += pair[1]
	}
	h.sum, h.most = p.Sum, p.Most
	return nil
}

// Summary is what people want to know of a Hist; all times in milliseconds.
type Summary struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean_ms"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

// Summary reads the usual percentiles, rounded to microseconds.
func (h *Hist) Summary() Summary {
	return Summary{
		Count: h.total, Mean: milli(h.Mean()), P50: milli(h.Quantile(0.5)), P90: milli(h.Quantile(0.9)),
		P99: milli(h.Quantile(0.99)), P999: milli(h.Quantile(0.999)), Max: milli(h.Max()),
	}
}

func milli(d time.Duration) float64 {
	return math.Round(float64(d)/1e3) / 1e3
}
