package hist

import "testing"

func TestMedian(t *testing.T) {
	for want, all := range map[float64][]float64{0: nil, 7: {7}, 3: {9, 3, 1}, 2.5: {4, 1, 3, 2}} {
		if got := Median(all); got != want {
			t.Errorf("of %v: got %v, want %v", all, got, want)
		}
	}
}
