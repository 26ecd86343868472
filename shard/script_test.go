package shard

import (
	"cmp"
	"flag"
	"fmt"
	"nebula/frame"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var rewrite = flag.Bool("rewrite", false, "write what scripts in testdata show, instead of comparing")

// TestScripts plays testdata/*.txt. A line is something that happens, several
// joined by & happen in one turn; the indented lines below it are what is seen
// then, by whom, "+" in the same send as the line above. With -rewrite those are
// written anew: they are to be read as the specification that they are.
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no scripts (%v)", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			switch {
			case *rewrite:
				if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			case got != string(want):
				t.Error(firstDifference(got, string(want)))
			}
		})
	}
}

// play carries out a script and returns it with what was seen. A line of dashes
// starts a new world.
func play(t *testing.T, script string) string {
	var out strings.Builder
	w := newWorld(t)
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "    ") {
			continue
		}
		fmt.Fprintln(&out, line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case strings.HasPrefix(line, "---"):
			w = newWorld(t)
			continue
		}
		for part := range strings.SplitSeq(line, " & ") {
			if !w.perform(part) {
				t.Fatalf("not understood: %q", part)
			}
		}
		if strings.HasPrefix(line, "with ") {
			continue // nothing has begun
		}
		w.end()
		w.look("")
		out.WriteString(w.out.String())
		w.out.Reset()
	}
	return out.String()
}

// look writes down what everybody has seen; who saw the same shares a line.
func (w *world) look(when string) {
	var sights []string
	who := make(map[string][]string)
	for _, name := range w.order {
		v := w.visitors[name]
		if v.silent {
			v.screen.wipe()
			continue
		}
		seen := v.screen.take()
		if len(seen) == 0 {
			continue
		}
		sight := strings.Join(told(seen), "\n")
		if who[sight] == nil {
			sights = append(sights, sight)
		}
		who[sight] = append(who[sight], name)
	}
	for _, sight := range sights {
		for line := range strings.SplitSeq(sight, "\n") {
			fmt.Fprintf(&w.out, "    %s%s: %s\n", when, strings.Join(who[sight], ", "), line)
		}
	}
}

// told is what was seen, a line each; a row of "things" or of their acks is one.
func told(seen []shown) (lines []string) {
	thing := func(s shown) bool { return strings.HasPrefix(s.ID, "thing") }
	for i := 0; i < len(seen); i++ {
		first := i
		for i+1 < len(seen) && thing(seen[i]) && thing(seen[i+1]) && seen[i+1].Type == seen[i].Type && seen[i+1].Seq == seen[i].Seq+1 {
			i++
		}
		if first == i {
			lines = append(lines, seen[i].String())
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s, %d times: %d..%d", seen[i].Type, seen[i].Room, i+1-first, seen[first].Seq, seen[i].Seq))
	}
	return lines
}

func (w *world) note(format string, args ...any) { fmt.Fprintf(&w.out, "    "+format+"\n", args...) }

// verb is one kind of line of a script.
type verb struct {
	pattern *regexp.Regexp
	do      func(w *world, arg []string)
}

func verbOf(pattern string, do func(w *world, arg []string)) verb {
	return verb{regexp.MustCompile("^" + pattern + "$"), do}
}

// perform does what one line says; false: it says nothing that is known.
func (w *world) perform(line string) bool {
	for _, v := range slices.Concat(talk, events, cluster, settings) {
		if arg := v.pattern.FindStringSubmatch(line); arg != nil {
			v.do(w, arg[1:])
			return true
		}
	}
	return false
}

func number(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// talk is what clients do.
var talk = []verb{
	verbOf(`(\S+) joins (\S+?)(?: after (\d+):(\d+))?`, func(w *world, arg []string) {
		var cursor *Pos
		if arg[2] != "" {
			cursor = &Pos{uint64(number(arg[2])), uint64(number(arg[3]))}
		}
		w.join(arg[0], arg[1], cursor)
	}),
	verbOf(`(\S+) leaves (\S+)`, func(w *world, arg []string) { w.leave(arg[0], arg[1]) }),
	verbOf(`(\S+) vanishes`, func(w *world, arg []string) { w.vanish(arg[0]) }),
	verbOf(`(\S+) says (\w+)(?: in (\S+))?: (.*)`, func(w *world, arg []string) {
		w.say(arg[0], cmp.Or(arg[2], "r"), arg[1], arg[3])
	}),
	verbOf(`(\S+) says (\d+) things`, func(w *world, arg []string) {
		for i := range number(arg[1]) {
			w.say(arg[0], "r", fmt.Sprintf("thing%d", i+1), "thing")
		}
	}),
	verbOf(`(\S+) types`, func(w *world, arg []string) { w.typing(arg[0]) }),
	verbOf(`(\S+) asks for history(?: before (\d+))?(?:, (\d+))?`, func(w *world, arg []string) {
		w.step(Command{Kind: Page, Member: w.member(arg[0], "r"), Before: uint64(number(arg[1])), Limit: number(cmp.Or(arg[2], "50"))})
	}),
	verbOf(`(\S+) asks for users from (\d+), (\d+)`, func(w *world, arg []string) {
		w.step(Command{Kind: Users, Member: w.member(arg[0], "r"), Offset: number(arg[1]), Limit: number(arg[2])})
	}),
	verbOf(`(\S+) is called (\S+)`, func(w *world, arg []string) { w.visitor(arg[0]).called = arg[1] }),
	verbOf(`(\S+) (\d+) to (\d+) (join|leave|vanish|type)`, func(w *world, arg []string) {
		for i := number(arg[1]); i <= number(arg[2]); i++ {
			name := fmt.Sprintf("%s%03d", arg[0], i)
			w.visitor(name).silent = true
			switch arg[3] {
			case "join":
				w.join(name, "r", nil)
			case "leave":
				w.leave(name, "r")
			case "vanish":
				w.vanish(name)
			case "type":
				w.typing(name)
			}
		}
	}),
}

// events are what happens around the clients.
var events = []verb{
	verbOf(`(\S+) (?:pass|passes)`, func(w *world, arg []string) {
		d, err := time.ParseDuration(arg[0])
		if err != nil {
			w.t.Fatal(err)
		}
		w.pass(d, func(since time.Duration) { w.look(fmt.Sprintf("after %v ", since)) })
	}),
	verbOf(`committed(?: (\S+) (\d+))?`, func(w *world, arg []string) { w.commit(arg[0], uint64(number(arg[1]))) }),
	verbOf(`journal (full|works)`, func(w *world, arg []string) { w.store.full = arg[0] == "full" }),
	verbOf(`history (slow|prompt|full)`, func(w *world, arg []string) {
		w.slow, w.store.deaf = arg[0] == "slow" || arg[0] == "full", arg[0] == "full"
	}),
	verbOf(`history (answers|fails)`, func(w *world, arg []string) { w.answer(arg[0] == "fails") }),
	verbOf(`history was asked`, func(w *world, _ []string) {
		for _, q := range w.answers {
			if q.Kind == Load {
				w.note("load %s", q.Room)
			} else {
				w.note("%d of %s before %d", q.Limit, q.Room, q.Before)
			}
		}
	}),
	verbOf(`restart`, func(w *world, _ []string) { w.restart() }),
	verbOf(`rooms in memory`, func(w *world, _ []string) {
		var rooms []string
		for name := range w.start().rooms {
			rooms = append(rooms, name)
		}
		slices.Sort(rooms)
		w.note("%d: %s", w.shard.liveRooms.Load(), strings.Join(rooms, " "))
	}),
	verbOf(`counters`, func(w *world, _ []string) {
		c := &w.start().counters
		w.note("members %d, accepted %d, duplicate %d, busy %d, rejected %d, deliveries %d, unacked %d", c.members.Load(),
			c.accepted.Load(), c.duplicate.Load(), c.busy.Load(), c.rejected.Load(), c.deliveries.Load(), c.unacked.Load())
		if w.relay != nil {
			w.note("unplaced %d, held early %d", c.unplaced.Load(), w.shard.early)
		}
	}),
}

// cluster is what the bus and the other nodes do.
var cluster = []verb{
	verbOf(`relay (takes|is full|refuses|says here)`, func(w *world, arg []string) {
		w.relay.verdict = map[string]Verdict{"takes": Taken, "is full": Full, "refuses": Refused, "says here": Here}[arg[0]]
	}),
	verbOf(`relay was told`, func(w *world, _ []string) {
		for _, one := range w.relay.told {
			w.note("%s", one)
		}
		w.relay.told = nil
	}),
	verbOf(`(place|journal) (.*)`, func(w *world, arg []string) {
		var messages []Placed
		for one := range strings.SplitSeq(arg[1], ", ") {
			m := placedPattern.FindStringSubmatch(one)
			if m == nil {
				w.t.Fatalf("not understood: %q", one)
			}
			p := Placed{
				Epoch: uint64(number(m[1])), Seq: uint64(number(m[2])), Hash: frame.Hash(m[4], []byte(m[3])), Milli: w.now / 1e6,
				Room: cmp.Or(m[5], "r"), Restored: m[6] != "", Read: w.now,
			}
			w.journal(&p, m[3], m[4])
			if arg[0] == "journal" {
				continue
			}
			p.Body = frame.EncodeMessage(p.Room, []byte(m[3]), m[4], m[4], []byte("by the bus"))
			p.Body.Stamp(p.Seq, p.Milli)
			messages = append(messages, p)
		}
		if arg[0] == "place" {
			w.place(messages)
		}
	}),
	verbOf(`epoch (\d+) begins`, func(w *world, arg []string) {
		w.epoch = uint64(number(arg[0]))
		w.place(nil)
	}),
	verbOf(`settle (\w+) of (\S+): (?:at (\d+)|unknown)`, func(w *world, arg []string) {
		w.step(Command{
			Kind: settled, name: "r", Hash: frame.Hash(arg[1], []byte(arg[0])), HasPos: arg[2] != "",
			After: uint64(number(arg[2])), Before: uint64(w.now / 1e6),
		})
	}),
	verbOf(`(\S+) (comes|goes) elsewhere(?: as (\S+))?`, func(w *world, arg []string) {
		w.elsewhere(frame.User{ID: arg[0], Name: cmp.Or(arg[2], arg[0])}, arg[1] == "comes")
	}),
	verbOf(`(\S+) types elsewhere`, func(w *world, arg []string) {
		w.step(Command{Kind: typing, Member: stranger("r", frame.User{ID: arg[0], Name: arg[0]})})
	}),
	verbOf(`reload`, func(w *world, _ []string) { w.step(Command{Kind: reload, After: w.entry}) }),
}

// placedPattern is a message in an entry: place, id, user, room, and whether it is one that was restored.
var placedPattern = regexp.MustCompile(`^(\d+):(\d+) (\w+) of (\w+)(?: in (\w+))?( restored)?$`)

// settings come before the first event.
var settings = []verb{
	verbOf(`with (\d+) messages of epoch (\d+) stored`, func(w *world, arg []string) { w.stored(number(arg[0]), uint64(number(arg[1]))) }),
	verbOf(`with epochs (.*)`, func(w *world, arg []string) {
		for one := range strings.FieldsSeq(arg[0]) {
			w.cfg.Epoch = uint64(number(one))
			w.cfg.Epochs = append(w.cfg.Epochs, w.cfg.Epoch)
		}
	}),
	verbOf(`with a cluster at epoch (\d+), entry (\d+)`, func(w *world, arg []string) {
		w.relay = &relay{verdict: Taken}
		w.epoch, w.entry = uint64(number(arg[0])), uint64(number(arg[1]))
	}),
	verbOf(`with (\S+) elsewhere`, func(w *world, arg []string) {
		w.relay.people = append(w.relay.people, frame.User{ID: arg[0], Name: arg[0]})
	}),
	verbOf(`with send-bytes (\d+)`, func(w *world, arg []string) { w.cfg.SendBytes = number(arg[0]) }),
	verbOf(`with a mailbox of (\d+)`, func(w *world, arg []string) { w.cfg.Mailbox = number(arg[0]) }),
	verbOf(`with memory only, (\d+) empty rooms kept`, func(w *world, arg []string) {
		w.bare, w.cfg.KeepRooms, w.cfg.EmptyRooms = true, true, number(arg[0])
	}),
	verbOf(`the loops are busy (\d+)%`, func(w *world, arg []string) { w.busy = float64(number(arg[0])) / 100 }),
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf("line %d\ngot  %s\nwant %s\n(go test -rewrite writes what is seen now)", i+1, g[i], w[i])
		}
	}
	return fmt.Sprintf("got %d lines, want %d", len(g), len(w))
}
