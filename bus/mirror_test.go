package bus

import (
	"slices"
	"testing"
)

// audience is Rooms that remembers what it was told of other nodes' users.
type audience struct {
	Rooms
	here map[member]string
	left int    // how many were told to be gone
	asks func() // at each call
}

func (a *audience) Presence(_ int, changes []Change) {
	for _, c := range changes {
		if !c.Here {
			a.left++
			delete(a.here, member{c.Room, c.User})
			continue
		}
		if a.here == nil {
			a.here = map[member]string{}
		}
		a.here[member{c.Room, c.User}] = c.Name
	}
	if a.asks != nil {
		a.asks()
	}
}

func came(user string, since int64) change {
	return change{room: "r", user: user, face: face{name: "name of " + user, since: since}, here: true}
}

// readMirror returns a mirror that has read the members u1 and u2 of node a at version
// 10.
func readMirror(t *testing.T) *mirror {
	t.Helper()
	m := newMirror()
	m.join("a")
	if got := m.toRead(); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("got %v to read, want a", got)
	}
	m.read("a", 10, map[string]map[string]face{"r": {"u1": {"one", 1}, "u2": {"two", 2}}})
	return m
}

func users(m *mirror, room string) (list []string) {
	for _, p := range m.elsewhere(room) {
		list = append(list, p.User)
	}
	slices.Sort(list)
	return list
}

func TestMirror_Hear(t *testing.T) {
	both := []string{"u1", "u2"}
	for name, c := range map[string]struct {
		n      notice
		want   []string
		wanted bool
	}{
		"the next version is applied":         {notice{version: 11, changes: []change{came("u3", 3)}}, []string{"u1", "u2", "u3"}, false},
		"so is who left":                      {notice{version: 11, changes: []change{{room: "r", user: "u1"}, {room: "r", user: "u9"}}}, []string{"u2"}, false},
		"a known one is passed over":          {notice{version: 10, changes: []change{came("u3", 3)}}, both, false},
		"an old one is":                       {notice{version: 9, changes: []change{came("u3", 3)}}, both, false},
		"after a hole all is read":            {notice{version: 12, changes: []change{came("u3", 3)}}, both, true},
		"another process's members are read":  {notice{version: 1 << 60, changes: []change{came("u3", 3)}}, both, true},
		"what was written anew is read":       {notice{version: 11, what: noticeWhole}, both, true},
		"a node that leaves takes them along": {notice{version: 12, what: noticeGone}, nil, false},
		"but not those of another process":    {notice{version: 9, what: noticeGone}, both, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := readMirror(t)
			c.n.node = "a"
			stranger, wanted := m.hear(&c.n)
			if got := users(m, "r"); stranger || wanted != c.wanted || !slices.Equal(got, c.want) {
				t.Errorf("got %v, stranger %v, wanted %v, want %v, %v", got, stranger, wanted, c.want, c.wanted)
			}
			var told audience
			m.tell(0, &told)
			for _, user := range c.want {
				if told.here[member{"r", user}] == "" {
					t.Errorf("nobody was told of %s", user)
				}
			}
			if len(told.here) != len(c.want) {
				t.Errorf("got %v told, want %v", told.here, c.want)
			}
		})
	}
	if stranger, _ := readMirror(t).hear(&notice{node: "b"}); !stranger {
		t.Error("a node that nobody knows is no stranger")
	}
}

func TestMirror_HoldsNoticesWhileReading(t *testing.T) {
	m := newMirror()
	m.join("a")
	m.toRead()
	for v := range uint64(3) { // the first is in what is read
		m.hear(&notice{node: "a", version: 10 + v, changes: []change{came([]string{"u0", "u1", "u2"}[v], 1)}})
	}
	m.read("a", 10, nil)
	if got, want := users(m, "r"), []string{"u1", "u2"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := m.toRead(); got != nil {
		t.Errorf("got %v to read again, want none", got)
	}
}

func TestMirror_ReadsAgainWhenTooManyNoticesCame(t *testing.T) {
	m := newMirror()
	m.join("a")
	m.toRead()
	for v := range uint64(heldMost + 1) {
		m.hear(&notice{node: "a", version: 11 + v, changes: []change{came("u1", 1)}})
	}
	m.read("a", 10, nil)
	if got := m.toRead(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("got %v to read, want a", got)
	}
}

func TestMirror_Compare(t *testing.T) {
	m := readMirror(t)
	for i, c := range []struct {
		version uint64
		want    bool
	}{{10, false}, {11, false}, {10, false}, {11, false}, {11, true}} {
		if got := m.compare("a", c.version); got != c.want {
			t.Errorf("comparison %d: got %v, want %v", i, got, c.want)
		}
	}
	m = readMirror(t)
	m.compare("a", 11)
	m.hear(&notice{node: "a", version: 11})
	if m.compare("a", 12) {
		t.Error("a replica that moves is read")
	}
	if m = readMirror(t); !m.compare("a", 1<<60) {
		t.Error("the members of another process are not read")
	}
	if m.compare("b", 1) {
		t.Error("the members of a node that is not known are read")
	}
}

func TestMirror_NewestNameCounts(t *testing.T) {
	m := readMirror(t)
	m.join("b")
	m.toRead()
	m.read("b", 1, map[string]map[string]face{"r": {"u1": {"uno", 5}, "u2": {"dos", 1}}})
	var told audience
	m.tell(0, &told)
	if got := told.here[member{"r", "u1"}]; got != "uno" {
		t.Errorf("got %q, want the newer name", got)
	}
	if got := told.here[member{"r", "u2"}]; got != "two" {
		t.Errorf("got %q, want the newer name", got)
	}
	if got := m.elsewhere("r"); len(got) != 2 {
		t.Errorf("got %v, want each user once", got)
	}
	m.leave("b")
	m.tell(0, &told)
	if got := told.here[member{"r", "u1"}]; got != "one" || told.left != 0 {
		t.Errorf("got %q and %d left, want the other node's name and none", got, told.left)
	}
}

// A room that is made while changes are told asks who is elsewhere on the same
// goroutine, and other goroutines change the mirror meanwhile.
func TestMirror_TellsWithoutHoldingAnybody(t *testing.T) {
	m := readMirror(t)
	told := audience{}
	asked := 0
	told.asks = func() {
		if asked++; asked == 1 {
			m.hear(&notice{node: "a", version: 11, changes: []change{came("u3", 3), {room: "r", user: "u1"}}})
			m.tell(0, &told) // left to the one that tells
			if told.here[member{"r", "u3"}] != "" {
				t.Error("told twice at once")
			}
		}
		users(m, "r")
	}
	m.tell(0, &told)
	if len(told.here) != 2 || told.here[member{"r", "u3"}] == "" || asked != 2 {
		t.Errorf("got %v told by %d calls, want u2 and u3 by 2", told.here, asked)
	}
}
