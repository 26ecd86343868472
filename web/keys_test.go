package web

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// here names what has the focus; empty when the browser itself has it.
const here = `(() => {
	const el = document.activeElement;
	return el === document.body ? '' : el.id ? '#' + el.id : '.' + el.className.split(' ').at(-1) + ' ' + (el.closest('[data-room]')?.dataset.room ?? '');
})()`

// shows tells whether the focus can be seen: an outline, or a ring in the border
// of the element or of what is around it.
const shows = `(() => {
	const look = (el) => {
		const all = [el, el.closest('.composer') ?? el].map((e) => getComputedStyle(e));
		return all.map((s) => [s.outlineStyle === 'none' || s.outlineWidth === '0px' ? '' : s.outlineColor, s.borderColor, s.boxShadow, s.transform].join()).join('|');
	};
	const el = document.activeElement;
	if (!el.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
	const focused = look(el);
	el.blur();
	const plain = look(el);
	el.focus({ preventScroll: true, focusVisible: true });
	return focused !== plain;
})()`

// walk presses a key until the focus is back with the browser, and returns where it was.
func (tb *tab) walk(key string, modifiers ...chromedp.Modifier) []string {
	tb.t.Helper()
	var stops []string
	for range 60 {
		tb.press(key, modifiers...)
		at := eval[string](tb, "%s", here)
		if at == "" || slices.Contains(stops, at) {
			return stops
		}
		stops = append(stops, at)
		tb.still()
		if !eval[bool](tb, "%s", shows) {
			tb.t.Errorf("the focus cannot be seen on %s", at)
		}
	}
	tb.t.Fatalf("the focus does not come around: %q", stops)
	return nil
}

// twoRooms is Ada in #lobby, and #design which she may join.
func twoRooms(t *testing.T) *tab {
	t.Helper()
	c := newChat(t)
	for _, room := range []string{"lobby", "design"} {
		c.post(room, "Linus", "https://example.com/", time.Now())
	}
	return lobby(t, c, "Ada")[0]
}

// TestPage_Keyboard joins, writes, switches and leaves by keys only.
func TestPage_Keyboard(t *testing.T) {
	tb := twoRooms(t)
	tb.press("k", chromedp.ModifierCtrl)
	tb.focused("#room-input")
	tb.put("design")
	tb.press(kb.Enter)
	tb.focused("#composer-input")
	tb.text("#room-title", "#design")
	tb.put("typed")
	tb.press(kb.Enter)
	tb.lastMessage("typed", "acked")
	tb.press(kb.ArrowUp, chromedp.ModifierAlt)
	tb.text("#room-title", "#lobby")
	tb.press(kb.ArrowDown, chromedp.ModifierAlt)
	tb.text("#room-title", "#design")

	eval[any](tb, `document.querySelector('[data-room=design] .room-leave').focus()`)
	tb.press(kb.Enter)
	tb.text("#room-title", "#lobby")
	tb.focused("[data-room=lobby] .room-open")
	tb.press(kb.Tab)
	tb.press(kb.Enter)
	tb.focused("#welcome-name")
	tb.press(kb.Tab)
	tb.press("!")
	tb.press(kb.Enter)
	tb.text("#welcome-error", "letters, digits")
	tb.press("\bback" + kb.Enter)
	tb.text("#room-title", "#back")
	tb.focused("#composer-input")
}

// TestPage_TabOrder: all of the page can be reached, in the order in which it stands.
func TestPage_TabOrder(t *testing.T) {
	tb := twoRooms(t)
	tb.joinRoom("design")
	tb.text("#messages", "https://example.com/")
	call(tb, chromedp.Navigate("about:blank"))
	tb.open("/#/design")
	tb.text("#messages", "https://example.com/")
	eval[any](tb, `document.activeElement.blur()`)
	want := []string{
		"#skip", "#room-input", "#room-join", ".room-open lobby", ".room-leave lobby", ".room-open design", ".room-leave design",
		"#rename", "#theme", "#help", "#open-people", "#log", ". design", "#composer-input", "#composer-send",
	}
	if got := tb.walk(kb.Tab); !slices.Equal(got, want) {
		t.Errorf("Tab goes\n %q, want\n %q", got, want)
	}
	slices.Reverse(want)
	if got := tb.walk(kb.Tab, chromedp.ModifierShift); !slices.Equal(got, want) {
		t.Errorf("Shift and Tab goes\n %q, want\n %q", got, want)
	}

	eval[any](tb, `document.querySelector('#skip').focus()`)
	tb.press(kb.Enter)
	tb.focused("#composer-input")
	if hash := eval[string](tb, `location.hash`); hash != "#/design" {
		t.Errorf("the skip link led to %s", hash)
	}
}

func TestPage_Dialogs(t *testing.T) {
	tb := twoRooms(t)
	eval[any](tb, `document.querySelector('#log').focus()`)
	tb.press("?", chromedp.ModifierShift)
	tb.wait(`document.querySelector('#help-dialog').open`)
	tb.press(kb.Escape)
	tb.wait(`!document.querySelector('#help-dialog').open`)
	tb.focused("#log")

	eval[any](tb, `document.querySelector('#rename').focus()`)
	tb.press(kb.Enter)
	tb.focused("#name-input")
	tb.press(kb.Escape)
	tb.focused("#rename")
	tb.press(kb.Enter)
	tb.put("Countess")
	tb.press(kb.Enter)
	tb.focused("#rename")
	tb.text("#me-name", "Countess")
	tb.text("#people", "Countess")
}

func TestPage_Drawers(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	tb.joinRoom("design")
	tb.size(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch)
	tb.wait(`document.querySelector('#side').inert`)
	for _, drawer := range []struct{ opener, first, inside string }{
		{"#open-rooms", "#room-input", "#side"},
		{"#open-people", "#close-drawer", "#people-panel"},
	} {
		eval[any](tb, `document.querySelector(%q).focus()`, drawer.opener)
		tb.press(kb.Enter)
		tb.focused(drawer.first)
		tb.wait(`document.querySelector(%q).ariaExpanded === 'true'`, drawer.opener)
		for range 20 {
			tb.press(kb.Tab)
			if !eval[bool](tb, `document.activeElement === document.body || document.querySelector(%q).contains(document.activeElement)`, drawer.inside) {
				t.Fatalf("Tab leads out of %s to %s", drawer.inside, eval[string](tb, "%s", here))
			}
		}
		tb.press(kb.Escape)
		tb.focused(drawer.opener)
		tb.wait(`document.querySelector(%q).ariaExpanded === 'false'`, drawer.opener)
	}
	tb.click("#open-rooms")
	tb.still()
	tb.click("[data-room=lobby] .room-open")
	tb.text("#room-title", "#lobby")
	tb.wait(`!document.querySelector('#app').dataset.drawer`)
	if eval[bool](tb, `document.activeElement.matches('#composer-input')`) {
		t.Error("the keyboard of the phone would cover the room that was opened")
	}
	tb.click("#open-people")
	tb.still()
	call(tb, chromedp.MouseClickXY(20, 400)) // beside the drawer
	tb.focused("#open-people")
}

func TestPage_Theme(t *testing.T) {
	c := newChat(t)
	tb := lobby(t, c, "Ada")[0]
	tb.prefer("prefers-color-scheme", "dark")
	for _, want := range []string{"light", "dark", "dark", "light"} { // light, dark, system, light
		tb.click("#theme")
		tb.wait(`document.documentElement.dataset.theme === %q`, want)
	}
	other := tb.sibling("/")
	other.wait(`document.documentElement.dataset.theme === 'light'`)
	other.click("#theme")
	tb.wait(`document.documentElement.dataset.theme === 'dark'`) // tabs agree
}

// node is what a screen reader is told.
type node struct{ role, name, more string }

// axTree lists what is there for a screen reader, in its order.
func (tb *tab) axTree() []node {
	tb.t.Helper()
	text := func(v *accessibility.Value) string {
		if v == nil {
			return ""
		}
		var s any
		if err := json.Unmarshal(v.Value, &s); err != nil {
			return string(v.Value)
		}
		return fmt.Sprint(s)
	}
	var nodes []node
	send(tb, accessibility.Enable, cdp.Empty{})
	for _, n := range send(tb, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{}).Nodes {
		if n.Ignored {
			continue
		}
		more := ""
		for _, p := range n.Properties {
			more += string(p.Name) + "=" + text(p.Value) + " "
		}
		nodes = append(nodes, node{text(n.Role), text(n.Name), more + text(n.Description)})
	}
	return nodes
}

func TestPage_ScreenReader(t *testing.T) {
	c := newChat(t)
	tabs := lobby(t, c, "Ada", "Grace")
	tb := tabs[0]
	c.do(func() { c.refuse["message"] = event{"code": "bad_text"} })
	tb.say("refused")
	tb.lastMessage("refused", "failed")
	tb.joinRoom("design")
	tabs[1].say("news")
	tb.wait(`document.querySelector('.room[data-room=lobby]').dataset.unread === '1'`)
	tb.wait(`document.querySelector('#log').getAttribute('aria-live') === 'polite'`)
	nodes := tb.axTree()
	for _, n := range nodes {
		if strings.Contains("button textbox link dialog navigation complementary log", n.role) && n.name == "" {
			t.Errorf("a %s has no name", n.role)
		}
	}
	for _, want := range []node{
		{"navigation", "Rooms", ""},
		{"main", "", ""},
		{"complementary", "People 1", ""},
		{"heading", "#design", "level=1"},
		{"textbox", "Join or create a room", ""},
		{"button", "lobby 1 unread", ""},
		{"button", "design", ""},
		{"button", "Leave lobby", ""},
		{"button", "Change your name", "expanded=false"},
		{"button", "Colours: System", ""},
		{"log", "Messages", "live=polite"},
		{"textbox", "Message to design", "multiline=true"},
		{"button", "Send", ""},
		{"status", "", "live=polite"},
	} {
		if !slices.ContainsFunc(nodes, func(n node) bool {
			return n.role == want.role && n.name == want.name && strings.Contains(n.more, want.more)
		}) {
			t.Errorf("nothing like %+v in the accessibility tree", want)
		}
	}
	if t.Failed() {
		for _, n := range nodes {
			t.Logf("%+v", n)
		}
	}
	tb.click(".room[data-room=lobby] .room-open")
	tb.text("#messages", "news")
	nodes = tb.axTree()
	for _, want := range []string{"Try again", "Edit", "Discard"} {
		if !slices.ContainsFunc(nodes, func(n node) bool { return n.role == "button" && n.name == want }) {
			t.Errorf("no button %s for the failed message", want)
		}
	}
}
