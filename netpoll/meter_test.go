package netpoll

import (
	"testing"
	"time"
)

func TestMeter_Busy(t *testing.T) {
	const ms = int64(time.Millisecond)
	type step struct {
		at   int64 // ms
		does byte  // 'r'est, 'w'ork, or '?'
		busy float64
	}
	for name, steps := range map[string][]step{
		"HalfAWindow":       {{10, 'r', 0}, {20, 'w', 0}, {20, '?', 0.5}},
		"IdleDecays":        {{18, 'r', 0}, {20, 'w', 0}, {21, 'r', 0}, {40, '?', 0.9}, {41, '?', 0}, {9e6, '?', 0}},
		"StuckRises":        {{0, 'r', 0}, {50, 'w', 0}, {69, '?', 0}, {70, '?', 1}, {9e6, '?', 1}},
		"ShortTurnsAreOne":  {{1, 'r', 0}, {9, 'w', 0}, {10, 'r', 0}, {19, 'w', 0}, {19, '?', 0}, {20, 'r', 0}, {20, 'w', 0}, {20, '?', 0.15}},
		"WindowStartsAgain": {{0, 'r', 0}, {20, 'w', 0}, {30, 'r', 0}, {40, 'w', 0}, {41, '?', 0.5}},
	} {
		var m meter
		for _, s := range steps {
			switch s.does {
			case 'r':
				m.rest(s.at * ms)
			case 'w':
				m.work(s.at * ms)
			case '?':
				if got := m.busy(s.at * ms); got < s.busy-1e-9 || got > s.busy+1e-9 {
					t.Errorf("%s: at %d ms got %v, want %v", name, s.at, got, s.busy)
				}
			}
		}
	}
}
