package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// TestPage tests the page against the real server, in one Chromium, because
// starting one costs more than most of this. The page's own tests, against a
// server that misbehaves, are in package web.
func TestPage(t *testing.T) {
	browser := startBrowser(t)
	for name, test := range map[string]func(*testing.T, context.Context){
		"TwoTabs": twoTabs, "Rooms": rooms, "History": history, "RateLimit": rateLimit, "TenTabs": tenTabs,
		"ServerRestarted": serverRestarted, "TabClosed": tabClosed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, browser)
		})
	}
}

// agree waits until all tabs show count messages and compares them: the same,
// in the same order, rising by one, each once.
func agree(t *testing.T, tabs []*tab, count int) []shown {
	t.Helper()
	first := tabs[0].messages(count)
	ids := map[string]bool{}
	for i, m := range first {
		if ids[m.User+m.ID] {
			t.Errorf("%+v is shown twice", m)
		}
		ids[m.User+m.ID] = true
		if i > 0 && number(t, m.Seq) != number(t, first[i-1].Seq)+1 {
			t.Errorf("seq %s follows %s", m.Seq, first[i-1].Seq)
		}
	}
	for i, tb := range tabs[1:] {
		if got := tb.messages(count); !slices.Equal(got, first) {
			t.Errorf("tab %d shows\n%v, tab 0\n%v", i+1, got, first)
		}
	}
	return first
}

func number(t *testing.T, s string) int {
	t.Helper()
	n, err := strconv.Atoi(s)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func twoTabs(t *testing.T, browser context.Context) {
	s := startServer(t, "-presence-grace", "10s") // a change of the name may take long on a busy machine
	url := "http://" + s.addr + "/"
	ann := openTab(t, browser, url)
	ann.wait(`document.querySelector('#welcome-name').value`) // the server's proposal
	ann.enter("#welcome-name", "Ann")
	ann.joined("lobby")
	ann.text("#me-name", "Ann")
	ann.text("#people", "Ann")
	ann.people(1)

	bob := openTab(t, browser, url+"#/lobby")
	bob.joined("lobby")
	guest := eval[string](bob, `document.querySelector('#me-name').textContent`)
	ann.text("#messages li.notice", guest+" joined")
	tabs := []*tab{ann, bob}
	for _, tb := range tabs {
		tb.people(2)
	}

	ann.say("hello <b>Bob</b>")
	bob.text("#messages", "hello <b>Bob</b>")
	bob.say("hello Ann")
	both := agree(t, tabs, 2)
	if ann.me() == bob.me() || both[0].User != ann.me() || both[1].User != bob.me() {
		t.Errorf("messages of %s and %s: %+v", ann.me(), bob.me(), both)
	}
	bob.click("#composer-input")
	bob.until(func() bool {
		runIn(bob, chromedp.KeyEvent("w")) // again, because it is passed on at most once in 3 s
		return eval[string](ann, `document.querySelector('#typing').textContent`) == guest+" is typing"
	})

	user := bob.me()
	bob.click("#rename")
	bob.enter("#name-input", "Bob")
	bob.text("#me-name", "Bob")
	ann.wait(`document.querySelector('.person[data-user="%s"]')?.textContent.includes('Bob')`, user)
	bob.joined("lobby")
	bob.say("it is me")
	named := agree(t, tabs, 3)
	if bob.me() != user || named[1].Name != guest || named[2].Name != "Bob" || named[2].User != user {
		t.Errorf("after the change of the name: %+v", named)
	}
	if n := eval[int](ann, `document.querySelectorAll('li.notice').length`); n != 1 {
		t.Errorf("%d notices, want 1: a new name is no arrival", n)
	}
}

func rooms(t *testing.T, browser context.Context) {
	s := startServer(t)
	url := "http://" + s.addr + "/"
	ann, bob := openTab(t, browser, url+"#/lobby"), openTab(t, browser, url+"#/lobby")
	bob.joined("lobby")
	ann.people(2)
	ann.join("Küche:1")
	ann.people(1)
	ann.say("only here")
	ann.messages(1)
	bob.say("in the lobby")
	bob.messages(1)
	ann.wait(`document.querySelector('.room[data-room=lobby]').dataset.unread === '1'`)
	ann.messages(1)

	bob.join("Küche:1")
	agree(t, []*tab{ann, bob}, 1)
	ann.people(2)
	ann.click(".room[data-room=lobby] .room-open")
	ann.text("#messages li.new + li.message", "in the lobby")
	ann.wait(`document.querySelector('.room[data-room=lobby]').dataset.unread === '0'`)

	bob.click(`.room[data-active=true] .room-leave`)
	bob.joined("lobby")
	agree(t, []*tab{ann, bob}, 1)
	ann.click(`.room[data-room="Küche:1"] .room-open`)
	ann.text("#messages li.notice", "left")
	ann.people(1)

	// A new tab of the same person is in the same rooms, and is the same person.
	again := bob.sibling(url)
	again.joined("lobby")
	if again.me() != bob.me() {
		t.Error("two tabs of one browser are two users")
	}
	ann.click(".room[data-room=lobby] .room-open")
	ann.people(2)
	again.say("from the other tab")
	agree(t, []*tab{ann, bob, again}, 2)
	again.close()
	bob.say("still here")
	agree(t, []*tab{ann, bob}, 3)
	ann.people(2)
	bob.close()
	ann.people(1)
	ann.text("#messages li.notice:last-child", "left")
	if left := ann.notices(); strings.Count(left, "left") != 1 {
		t.Errorf("notices %q, want one that somebody left: with the last tab", left)
	}
}

func history(t *testing.T, browser context.Context) {
	const all = 260
	s := startServer(t)
	writer := s.dial("")
	writer.join("lobby")
	for i := 1; i <= all; i++ {
		writer.say("lobby", fmt.Sprintf("id-%d", i), fmt.Sprintf("message %d", i))
	}
	tb := openTab(t, browser, "http://"+s.addr+"/#/lobby")
	tb.text("#messages", "message 260")
	if list := tb.nowShown(); len(list) != 50 || list[0].Seq != "211" {
		t.Fatalf("%d messages on joining, from %s, want 50", len(list), list[0].Seq)
	}
	seen := map[int]string{}
	tb.until(func() bool {
		before := 0
		for _, m := range tb.nowShown() {
			seq := number(t, m.Seq)
			if before > 0 && seq != before+1 {
				t.Fatalf("%d follows %d", seq, before)
			}
			before, seen[seq] = seq, m.Text
		}
		runIn(tb, chromedp.MouseEvent(chromedp.MouseWheel, 600, 400, func(p *input.DispatchMouseEventParams) {
			p.DeltaX, p.DeltaY = 0.01, -1000 // Chromium wants both, and cdproto leaves a zero out
		}))
		return seen[1] != ""
	})
	tb.text("#messages li.beginning", "#lobby")
	for seq, text := range seen {
		if text != fmt.Sprintf("message %d", seq) {
			t.Errorf("seq %d is %q", seq, text)
		}
	}
	if len(seen) != all {
		t.Errorf("%d messages on the way up, want %d", len(seen), all)
	}
	writer.say("lobby", "news", "news")
	tb.text("#jump", "1 new")
	tb.click("#jump")
	tb.text("#messages li.message:last-child", "news")
}

// rateLimit sends faster than the server takes messages, in two tabs of one user.
func rateLimit(t *testing.T, browser context.Context) {
	s := startServer(t, "-rate", "10", "-burst", "5")
	one := openTab(t, browser, "http://"+s.addr+"/#/lobby")
	one.joined("lobby")
	two := one.sibling("http://" + s.addr + "/#/lobby")
	two.joined("lobby")
	for i := range 20 {
		one.say(fmt.Sprint("one ", i))
		two.say(fmt.Sprint("two ", i))
	}
	next := map[string]int{}
	for _, m := range agree(t, []*tab{one, two}, 40) {
		from, i, _ := strings.Cut(m.Text, " ")
		if number(t, i) != next[from] {
			t.Errorf("%q, want number %d of tab %s", m.Text, next[from], from)
		}
		next[from]++
	}
	if n := s.metric(`nebula_disconnects_total{reason="policy"}`); n != 0 {
		t.Errorf("%v connections were closed: the page did not keep to the limit", n)
	}
}

// openTabs opens n tabs of n users in #lobby.
func openTabs(t *testing.T, browser context.Context, addr string, n int) []*tab {
	t.Helper()
	tabs := make([]*tab, n)
	for i := range tabs {
		tabs[i] = openTab(t, browser, "http://"+addr+"/#/lobby")
	}
	for _, tb := range tabs {
		tb.joined("lobby")
		tb.people(n)
	}
	return tabs
}

func tenTabs(t *testing.T, browser context.Context) {
	s := startServer(t)
	tabs := openTabs(t, browser, s.addr, 10)
	for round := range 4 {
		for i, tb := range tabs {
			tb.say(fmt.Sprintf("%d from %d", round, i)) // nobody waits for an ack
		}
	}
	all := agree(t, tabs, 40)
	for i, tb := range tabs {
		var mine []string
		for _, m := range all {
			if m.User == tb.me() {
				mine = append(mine, m.Text)
			}
		}
		var want []string
		for round := range 4 {
			want = append(want, fmt.Sprintf("%d from %d", round, i))
		}
		if !slices.Equal(mine, want) {
			t.Errorf("tab %d sent %q, the room has %q", i, want, mine)
		}
	}
	gone := []*tab{tabs[6], tabs[7], tabs[8], tabs[9]}
	tabs = tabs[:6]
	for i, tb := range gone {
		name := eval[string](tb, `document.querySelector('#me-name').textContent`)
		tb.close()
		for _, other := range tabs {
			other.people(9 - i)
			if i < 3 { // more names than that are a number
				other.text("#messages li.notice:last-child", name)
			}
			other.text("#messages li.notice:last-child", "left")
		}
	}
	newcomer := openTab(t, tabs[0].ctx, "http://"+s.addr+"/#/lobby")
	newcomer.joined("lobby")
	name := eval[string](newcomer, `document.querySelector('#me-name').textContent`)
	tabs = append(tabs, newcomer)
	for _, tb := range tabs {
		tb.people(7)
	}
	tabs[0].text("#messages li.notice:last-child", name+" joined")
	newcomer.say("I am new, and see what was")
	agree(t, tabs, 41)
}

// serverRestarted ends the server twice while ten tabs send, gently and not, and
// starts it again.
func serverRestarted(t *testing.T, browser context.Context) {
	data := t.TempDir()
	p := startProcess(t, "-data", data)
	tabs := openTabs(t, browser, p.addr, 10)
	users, notices := make([]string, len(tabs)), make([]string, len(tabs))
	said := map[string]bool{}
	for i, tb := range tabs {
		users[i], notices[i] = tb.me(), tb.notices()
		tb.offline = true
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		say := func(when string) {
			t.Helper()
			for i, tb := range tabs {
				text := fmt.Sprintf("%s the %v, by %d", when, signal, i)
				said[text] = true
				tb.say(text)
			}
		}
		say("before")
		say("just before") // some of these are on their way
		p.signal(signal)
		say("while it is down after")
		for _, tb := range tabs {
			tb.wait(`document.querySelector('#status').dataset.state !== 'online' && document.querySelector('#status').getBoundingClientRect().height > 20`)
			tb.text("#status", "kept and sent when you are back")
		}
		if code := p.wait(); (code == exitOK) != (signal == syscall.SIGTERM) {
			t.Errorf("exit %d after signal %v", code, signal)
		}
		p = startProcess(t, "-data", data, "-addr", p.addr)
		for _, tb := range tabs {
			tb.wait(`document.querySelector('#status').dataset.state === 'online'`)
			tb.people(len(tabs))
		}
		say("after")
		all := agree(t, tabs, len(said))
		checkSaid(t, all, said, users)
		for i, tb := range tabs {
			if tb.me() != users[i] {
				t.Errorf("tab %d was user %s and is %s", i, users[i], tb.me())
			}
			if now := tb.notices(); now != notices[i] {
				t.Errorf("tab %d said %q of people, then %q: that all come back is no news", i, notices[i], now)
			}
		}
	}
	// What the tabs show is what is stored: of more than a page, the newest.
	stored := p.dial("").join("lobby")
	if want := min(len(said), 50); len(stored.Messages) != want || stored.Seq < uint64(len(said)) {
		t.Errorf("%d messages come on joining, up to %d, want %d: %d are shown", len(stored.Messages), stored.Seq, want, len(said))
	}
}

// checkSaid compares what is shown with what was said: each once, by these users.
func checkSaid(t *testing.T, all []shown, said map[string]bool, users []string) {
	t.Helper()
	seen := map[string]bool{}
	for _, m := range all {
		if !said[m.Text] || seen[m.Text] {
			t.Errorf("%q is shown, which nobody said, or twice", m.Text)
		}
		seen[m.Text] = true
		if !slices.Contains(users, m.User) {
			t.Errorf("%+v is of a user who was not there", m)
		}
	}
}

// tabClosed closes a tab while the server is down and its messages are on their way:
// the next tab of that person sends them, with the same ids and in the same order.
func tabClosed(t *testing.T, browser context.Context) {
	data := t.TempDir()
	p := startProcess(t, "-data", data)
	url := "http://" + p.addr + "/"
	person := openTab(t, browser, "about:blank") // keeps the cookie jar and the storage
	tb := person.sibling(url + "#/lobby")
	tb.joined("lobby")
	tb.say("before")
	tb.messages(1)
	tb.offline = true
	p.signal(syscall.SIGKILL)
	p.wait()
	tb.wait(`document.querySelector('#status').dataset.state !== 'online'`)
	for i := range 3 {
		tb.say(fmt.Sprint("kept ", i))
	}
	tb.wait(`document.querySelectorAll('li.message:not([data-state=acked])').length === 3`)
	kept, user := tb.nowShown(), tb.me()
	tb.close()

	p = startProcess(t, "-data", data, "-addr", p.addr)
	tabs := []*tab{person.sibling(url), person.sibling(url)} // of which one sends
	for _, tb := range tabs {
		tb.joined("lobby")
		if tb.me() != user {
			t.Errorf("user %s came back as %s", user, tb.me())
		}
	}
	all := agree(t, tabs, 4)
	for i, m := range all {
		if m.ID != kept[i].ID || m.Text != kept[i].Text || m.User != user {
			t.Errorf("message %d is %+v, want %+v", i, m, kept[i])
		}
	}
	if stored := p.dial("").join("lobby"); len(stored.Messages) != 4 {
		t.Errorf("%d messages are stored, want 4", len(stored.Messages))
	}
}
