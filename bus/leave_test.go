package bus

import (
	"context"
	"testing"
)

// A node may leave when the bus is down, or does not answer: nothing is cut by that.
func TestRedis_LeavesWithoutTheBus(t *testing.T) {
	for name, end := range map[string]func(*server){"killed": (*server).kill, "stopped": (*server).stop} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			n := newNode(t, s.url(), "n", 1)
			n.ready(t)
			end(s)
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			if err := n.Close(ctx); err != nil {
				t.Errorf("got %v, want a clean end", err)
			}
			n.Redis = nil
			if name == "stopped" {
				s.cont()
			}
		})
	}
}
