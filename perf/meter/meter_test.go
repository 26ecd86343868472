//go:build linux

package meter

import (
	"errors"
	"testing"
	"time"
)

func TestProcess_SeesItsOwnWork(t *testing.T) {
	before, err := Process(0).CPU()
	if err != nil {
		t.Fatal(err)
	}
	var used CPU
	for used.Total < 30*time.Millisecond {
		now, err := Process(0).CPU()
		if err != nil {
			t.Fatal(err)
		}
		used = now.Sub(before)
	}
	if used.User < 0 || used.System < 0 {
		t.Errorf("got %+v, want nothing negative", used)
	}
	if rss, err := Process(0).RSS(); err != nil || rss < 1<<20 {
		t.Errorf("got %d bytes resident, error %v", rss, err)
	}
}

func TestProcess_GoneIsAnError(t *testing.T) {
	gone := Process(1 << 22) // past pid_max
	if _, err := gone.CPU(); err == nil {
		t.Error("CPU of no process: got no error")
	}
	if _, err := gone.RSS(); err == nil {
		t.Error("RSS of no process: got no error")
	}
}

func TestTicks_NamesMayHoldAnything(t *testing.T) {
	user, system, err := ticks([]byte("7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 17 1 1"))
	if err != nil || user != 2500*time.Millisecond || system != 170*time.Millisecond {
		t.Errorf("got %v, %v, %v", user, system, err)
	}
	for _, bad := range []string{"", "7 (a) S 1", "7 (a) S 1 2 3 4 5 6 7 8 9 10 x 17"} {
		if _, _, err := ticks([]byte(bad)); !errors.Is(err, ErrFormat) {
			t.Errorf("%q: got %v, want ErrFormat", bad, err)
		}
	}
}

func TestClock_IsTheMachinesClock(t *testing.T) {
	a, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewClock()
	if err != nil {
		t.Fatal(err)
	}
	first := a.Now()
	second := b.Now()
	third := a.Now()
	const slack = int64(time.Second) // the two are read one after the other
	if second < first-slack || second > third+slack || third < first {
		t.Errorf("got %d, %d, %d", first, second, third)
	}
}
