package bus

import (
	"reflect"
	"slices"
	"testing"
	"time"
)

// One look a second at leases that are to move every second; dead after 5.
func TestRoll_Look(t *testing.T) {
	type look struct {
		after  time.Duration // since the look before; 0: a second
		leases map[string]string
		lost   bool // the bus lost something since
		came   []string
		went   []string
		sweep  []lease
	}
	still := map[string]string{"a": "i 1 x"}
	for name, looks := range map[string][]look{
		"a node that renews lives": {
			{leases: map[string]string{"a": "i 1 x"}, came: []string{"a"}},
			{leases: map[string]string{"a": "i 2 x"}, after: time.Hour},
			{leases: map[string]string{"a": "i 3 x"}, after: time.Hour},
		},
		"one that stands still dies, once, and is swept until its lease is gone": {
			{leases: still, came: []string{"a"}},
			{leases: still},
			{leases: still},
			{leases: still},
			{leases: still},
			{leases: still, went: []string{"a"}, sweep: []lease{{"a", "i 1 x"}}},
			{leases: still, sweep: []lease{{"a", "i 1 x"}}},
			{},
			{},
		},
		"one that was thought dead comes back": {
			{leases: still, came: []string{"a"}},
			{leases: still},
			{leases: still},
			{leases: still},
			{leases: still},
			{leases: still, went: []string{"a"}, sweep: []lease{{"a", "i 1 x"}}},
			{leases: map[string]string{"a": "i 2 x"}, came: []string{"a"}},
			{leases: map[string]string{"a": "i 2 x"}},
		},
		"time in which nobody could look does not count": {
			{leases: still, came: []string{"a"}},
			{leases: still, after: time.Hour},
			{leases: still, after: time.Hour},
			{leases: still, after: time.Hour, went: []string{"a"}, sweep: []lease{{"a", "i 1 x"}}},
		},
		"one without a lease has left": {
			{leases: still, came: []string{"a"}},
			{went: []string{"a"}},
			{leases: still, came: []string{"a"}},
		},
		"but not if the bus lost the leases": {
			{leases: still, came: []string{"a"}},
			{lost: true},
			{lost: true},
			{lost: true},
			{leases: map[string]string{"a": "i 7 x"}},
		},
		"until it stood still for too long": {
			{leases: still, came: []string{"a"}},
			{lost: true},
			{lost: true},
			{lost: true},
			{lost: true},
			{lost: true, went: []string{"a"}, sweep: []lease{{"a", "i 1 x"}}},
			{lost: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoll(pace{beat: time.Second, dead: 5 * time.Second})
			at := time.Unix(1_764_000_000, 0)
			for i, l := range looks {
				if l.after == 0 {
					l.after = time.Second
				}
				at = at.Add(l.after)
				came, went, sweep := r.look(at, l.leases, !l.lost)
				if !slices.Equal(came, l.came) || !slices.Equal(went, l.went) || !slices.Equal(sweep, l.sweep) {
					t.Fatalf("look %d: got %v %v %v, want %v %v %v", i, came, went, sweep, l.came, l.went, l.sweep)
				}
			}
		})
	}
}

func TestRoll_Peers(t *testing.T) {
	r := newRoll(pace{beat: time.Second, dead: time.Second})
	at := time.Unix(1_764_000_000, 0)
	r.look(at, map[string]string{"a": "i 1 host:6060", "b": "i 1 ", "c": "nonsense"}, true)
	r.look(at.Add(2*time.Second), map[string]string{"a": "i 2 host:6060", "b": "i 2 ", "c": "nonsense"}, true)
	got := r.peers()
	slices.SortFunc(got, func(a, b Peer) int { return len(b.Admin) - len(a.Admin) })
	if want := []Peer{{"a", "host:6060"}, {"b", ""}}; !reflect.DeepEqual(got, want) || r.live() != len(want) {
		t.Errorf("got %v and %d alive, want %v", got, r.live(), want)
	}
}
