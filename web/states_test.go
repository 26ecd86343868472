package web

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// lobby opens #lobby for each name, in tabs that see each other.
func lobby(t *testing.T, c *chat, names ...string) []*tab {
	t.Helper()
	browser := startBrowser(t)
	var tabs []*tab
	for _, name := range names {
		tb := openTab(t, browser, c, name, "/#/lobby")
		tb.wait(`document.querySelector('.room[data-active=true]')?.dataset.status === 'joined'`)
		tabs = append(tabs, tb)
	}
	for _, tb := range tabs {
		tb.text("#people-count", fmt.Sprint(len(names)))
	}
	return tabs
}

func (tb *tab) state(want string) {
	tb.t.Helper()
	tb.wait(`document.querySelector('#status').dataset.state === %q`, want)
}

// lastMessage waits until the last message has the text and the state.
func (tb *tab) lastMessage(text, state string) {
	tb.t.Helper()
	tb.wait(`(() => {
		const all = document.querySelectorAll('li.message');
		const last = all[all.length - 1];
		return last?.querySelector('.message-text').textContent === %q && last.dataset.state === %q;
	})()`, text, state)
}

func (tb *tab) focused(selector string) {
	tb.t.Helper()
	tb.wait(`document.activeElement?.matches(%q)`, selector)
}

func TestPage_Refused(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	refuse := func(text string) {
		t.Helper()
		c.do(func() { c.refuse["message"] = event{"code": "bad_text"} })
		tb.say(text)
		tb.lastMessage(text, "failed")
		tb.text(".message[data-state=failed]", "cannot be sent")
	}
	refuse("one")
	tb.click(".message-retry")
	tb.lastMessage("one", "acked")
	tb.focused("#composer-input")

	refuse("two")
	tb.put("unfinished")
	tb.click(".message-edit")
	tb.wait(`document.querySelector('#composer-input').value === 'two\nunfinished'`)
	tb.wait(`!document.querySelector('.message[data-state=failed]')`)
	tb.press("!\r")
	tb.lastMessage("two\nunfinished!", "acked")

	refuse("three")
	tb.click(".message-discard")
	tb.lastMessage("two\nunfinished!", "acked")

	c.do(func() { c.refuse["message"] = event{"code": "rate_limited", "retry_ms": 300} })
	tb.say("four")
	tb.lastMessage("four", "acked")
	if toast := eval[string](tb, `document.querySelector('#toast').textContent`); toast != "" {
		t.Errorf("a wait that ends by itself was shown as an error: %q", toast)
	}
	if got, want := tb.texts(), []string{"one", "two\nunfinished!", "four"}; !slices.Equal(got, want) {
		t.Errorf("the room shows %q, want %q", got, want)
	}
}

func TestPage_RoomRefused(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	c.do(func() { c.refuse["join"] = event{"code": "too_many_rooms"} })
	tb.click("#room-input")
	tb.put("one-too-many\n")
	tb.press("\r")
	tb.text("#messages", "as many rooms as the server allows")
	tb.wait(`document.querySelector('.room[data-active=true]').dataset.status === 'failed'`)
	tb.looks("room-refused")
	tb.click("#messages button")
	tb.text("#messages", "Nobody has written here yet")
	tb.focused("#composer-input")

	tb.click("#room-input")
	tb.put("no spaces")
	tb.press("\r")
	tb.text("#room-error", "no spaces")
	tb.wait(`document.querySelector('#room-input').ariaInvalid === 'true'`)
	tb.focused("#room-input")
}

func TestPage_Muted(t *testing.T) {
	c := newChat(t)
	tabs := lobby(t, c, "Ada", "Grace")
	ada, grace := tabs[0], tabs[1]
	ada.expect = []string{"WebSocket"}
	grace.expect = ada.expect
	c.do(func() { c.mute = true })
	for _, text := range []string{"one", "two", "three"} {
		ada.say(text)
		ada.lastMessage(text, "pending")
	}
	c.fall()
	c.do(func() { c.mute = false })
	c.rise()
	for _, tb := range tabs {
		tb.lastMessage("three", "acked")
		tb.wait(`!document.querySelector('.message[data-state=pending]')`)
		if got, want := tb.texts(), []string{"one", "two", "three"}; !slices.Equal(got, want) {
			t.Errorf("a tab shows %q, want %q", got, want)
		}
	}
}

func TestPage_Down(t *testing.T) {
	c := newChat(t)
	tabs := lobby(t, c, "Ada", "Grace")
	ada, grace := tabs[0], tabs[1]
	ada.expect = []string{"WebSocket"}
	grace.expect = ada.expect
	ada.say("before")
	grace.lastMessage("before", "acked")
	grace.click("#composer-input")
	grace.press("w")
	ada.wait(`document.querySelector('#typing[data-shown]')`)
	c.fall()
	ada.state("waiting")
	ada.wait(`!document.querySelector('#typing[data-shown]')`)
	grace.put("hile away")
	grace.press("\r")
	grace.lastMessage("while away", "pending")
	grace.text("#status", "Your message is kept and sent when you are back.")
	grace.text("#status-count", "Next try in")
	grace.wait(`document.querySelector('#status').getBoundingClientRect().height > 20`)
	grace.everywhere("down")

	c.rise()
	ada.click("#status-retry")
	ada.focused("#composer-input")
	for _, tb := range tabs {
		tb.state("online")
		tb.lastMessage("while away", "acked")
		if got, want := tb.texts(), []string{"before", "while away"}; !slices.Equal(got, want) {
			t.Errorf("a tab shows %q, want %q", got, want)
		}
		tb.text("#people-count", "2")
	}
	ada.wait(`document.querySelector('#status').getBoundingClientRect().height === 0`)
	ada.wait(`document.querySelector('#status-text').textContent === ''`)
	if notices := eval[int](ada, `document.querySelectorAll('li.notice').length`); notices != 1 { // Grace, at the start
		t.Errorf("%d notices: who lost the connection too is no news", notices)
	}
}

func TestPage_Goodbye(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	tb.expect = []string{"WebSocket"}
	c.do(func() {
		for conn := range c.conns {
			conn.out <- event{"type": "goodbye", "reason": "restart", "retry_ms": 200}
		}
	})
	tb.state("leaving")
	tb.text("#status", "The server restarts.")
	c.fall()
	c.rise()
	tb.say("still here")
	tb.lastMessage("still here", "acked")
	tb.state("online")
}

func TestPage_OutboxSurvivesTheTab(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	c.do(func() { c.mute = true })
	tb.say("one")
	tb.say("two")
	tb.lastMessage("two", "pending")
	tb.click("#composer-input")
	tb.put("a draft")
	call(tb, chromedp.Navigate("about:blank")) // the page is gone
	c.do(func() { c.mute = false })
	tb.open("/")
	tb.lastMessage("two", "acked")
	tb.wait(`document.querySelector('#composer-input').value === 'a draft'`)
	other := tb.sibling("/#/lobby")
	for _, each := range []*tab{tb, other} {
		each.lastMessage("two", "acked")
		if got, want := each.texts(), []string{"one", "two"}; !slices.Equal(got, want) {
			t.Errorf("a tab shows %q, want %q", got, want)
		}
		each.text("#people-count", "1")
	}
}

func TestPage_Composer(t *testing.T) {
	c := newChat(t)
	tabs := lobby(t, c, "Ada", "Grace")
	ada, grace := tabs[0], tabs[1]
	ada.click("#composer-input")
	ada.put("first line")
	ada.press("\r", 8) // with Shift
	ada.put("second line")
	if len(ada.texts()) != 0 {
		t.Fatal("Shift and Enter sent the message")
	}
	ada.press("\r")
	grace.lastMessage("first line\nsecond line", "acked")
	ada.wait(`document.querySelector('#composer-input').value === ''`)

	ada.wait(`document.querySelectorAll('li.message').length === 1`)

	ada.put(strings.Repeat("é", 2049))
	ada.press("\r")
	ada.text("#composer-note", "2 bytes too long")
	ada.looks("too-long")
	ada.press("\b\r")
	grace.lastMessage(strings.Repeat("é", 2048), "acked")

	ada.put("   \n ")
	ada.press("\r")
	ada.wait(`document.querySelector('#composer-send').ariaDisabled === 'true'`)
	if n := len(ada.texts()); n != 2 {
		t.Errorf("%d messages, want 2: blanks are none", n)
	}
}

func TestPage_Unread(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	tb.say("read")
	tb.joinRoom("design")
	for i := range 3 {
		c.post("lobby", "Linus", fmt.Sprint("news ", i), time.Now())
	}
	tb.wait(`document.querySelector('.room[data-room=lobby]').dataset.unread === '3'`)
	tb.wait(`document.title === '(3) #design · Nebula'`)
	tb.click(".room[data-room=lobby] .room-open")
	tb.text("#messages li.new + li.message", "news 0")
	tb.wait(`document.querySelector('.room[data-room=lobby]').dataset.unread === '0'`)
	tb.looks("new")
	tb.click(".room[data-room=design] .room-leave")
	tb.wait(`!document.querySelector('.room[data-room=design]')`)
	tb.click(".room[data-room=lobby] .room-leave")
	tb.wait(`!document.querySelector('#welcome').hidden && document.querySelector('#conversation').hidden`)
	tb.focused("#welcome-name")
}
