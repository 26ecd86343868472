package hist

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestHist_QuantilesAgreeWithSorting(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	var h Hist
	var all []int64
	for range 50000 {
		ns := int64(chance.ExpFloat64() * 3e6)
		h.Record(ns)
		all = append(all, ns)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.5, 0.9, 0.99, 0.999, 1} {
		at := min(max(int(q*float64(len(all))+0.9999999), 1), len(all))
		want, got := all[at-1], int64(h.Quantile(q))
		if got < want || float64(got) > float64(want)*(1+1.0/subs)+1 {
			t.Errorf("q %v: got %d, want %d to 1/128 above", q, got, want)
		}
	}
	if h.Total() != uint64(len(all)) || int64(h.Max()) != all[len(all)-1] {
		t.Errorf("got total %d max %d, want %d, %d", h.Total(), h.Max(), len(all), all[len(all)-1])
	}
}

func TestHist_BucketsAreGapless(t *testing.T) {
	for i := range buckets - 1 {
		end := upper(i)
		if bucketOf(end) != i || bucketOf(end+1) != i+1 {
			t.Fatalf("bucket %d ends at %d: got buckets %d and %d", i, end, bucketOf(end), bucketOf(end+1))
		}
	}
}

func TestHist_Edges(t *testing.T) {
	var h Hist
	if h.Quantile(0.5) != 0 || h.Mean() != 0 {
		t.Error("an empty histogram has no percentiles")
	}
	h.Record(-5)
	h.Record(int64(100 * time.Hour))
	if h.Quantile(0.5) != 0 || h.Max() != 100*time.Hour || h.Quantile(1) != upper100h() {
		t.Errorf("got p50 %v, max %v, p100 %v", h.Quantile(0.5), h.Max(), h.Quantile(1))
	}
}

// upper100h is where everything too long is counted.
func upper100h() time.Duration { return time.Duration(upper(buckets - 1)) }

func TestHist_AddIsRecordingBoth(t *testing.T) {
	var a, b, both Hist
	for i := range int64(1000) {
		a.Record(i * 997)
		b.Record(i * i * 31)
		both.Record(i * 997)
		both.Record(i * i * 31)
	}
	a.Add(&b)
	if a != both {
		t.Error("Add differs from recording both")
	}
}

func TestHist_JSONKeepsEverything(t *testing.T) {
	var h, back Hist
	for i := range int64(500) {
		h.Record(i * i * i)
	}
	raw, err := json.Marshal(&h)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &back); err != nil || back != h {
		t.Errorf("error %v, same %v", err, back == h)
	}
	if err := json.Unmarshal([]byte(`{"buckets":[[999999,1]]}`), &back); err == nil {
		t.Error("a bucket out of range was taken")
	}
}
