package web

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

const escape = "\u001b"

// busyRoom fills #lobby with what people and attackers write.
func busyRoom(c *chat) {
	now := time.Now()
	for _, m := range []struct {
		ago        time.Duration
		name, text string
	}{
		{26 * time.Hour, "Grace Hopper", "Good morning everybody. Did the nightly run go through?"},
		{25 * time.Hour, "Linus", "It did: green from top to bottom, for the first time this week."},
		{25 * time.Hour, "Linus", "I will look at the flaky one anyway."},
		{50 * time.Minute, "Grace Hopper", "The report is at https://example.com/nightly.html (see the last table), not at javascript:alert(1)."},
		{30 * time.Minute, "Mallory <b>", `<script>pwned=1</script><img src=x onerror="pwned=1"> &lt;<b>bold</b> https://x.example/"onclick="pwned=1`},
		{28 * time.Minute, "אבי", "שלום לכולם, מה שלומכם היום?"},
		{20 * time.Minute, "Zed", strings.Repeat("longword", 60)},
		{20 * time.Minute, "Zed", "code:\n  if (a < b) {\n    return a;\n  }"},
		{18 * time.Minute, "Lin", "🎉🚀"},
	} {
		c.post("lobby", m.name, m.text, now.Add(-m.ago))
	}
}

// still waits until nothing moves any more.
func (tb *tab) still() {
	tb.t.Helper()
	tb.wait(`document.getAnimations().every((a) => a.playState !== 'running' || a.effect.getComputedTiming().iterations === Infinity)`)
}

// faultsOfLook lists what reaches over the window's edge or is cut off inside
// its control, and text that stands out too little (WCAG 2.2, 1.4.3: 4.5 to 1).
const faultsOfLook = `(() => {
	const faults = [];
	const name = (el) => el.tagName + '#' + el.id + '.' + el.className + ' ' + el.textContent.trim().slice(0, 20);
	const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
	const over = (colours) => {
		canvas.clearRect(0, 0, 1, 1);
		for (const c of colours) { canvas.fillStyle = c; canvas.fillRect(0, 0, 1, 1); }
		return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
	};
	const light = (rgb) => {
		const [r, g, b] = rgb.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	if (document.scrollingElement.scrollWidth > innerWidth) faults.push('the page scrolls sideways');
	for (const el of document.querySelectorAll('body *')) {
		const box = el.getBoundingClientRect();
		if (!el.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || el.closest('svg, .hidden, .skip, [inert]') || box.width * box.height === 0) continue;
		if (box.left < -1 || box.right > innerWidth + 1) faults.push('out of the window: ' + name(el));
		if (/^(BUTTON|INPUT)$/.test(el.tagName) && el.scrollWidth > el.clientWidth + 1 && !el.value) faults.push('cut off: ' + name(el));
		if (![...el.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) || el.closest('.avatar')) continue;
		const grounds = [];
		for (let at = el; at; at = at.parentElement) grounds.unshift(getComputedStyle(at).backgroundColor);
		const opacity = (() => { let o = 1; for (let at = el; at; at = at.parentElement) o *= getComputedStyle(at).opacity; return o; })();
		if (opacity < 0.99) continue; // not there yet, or greyed out
		const [a, b] = [light(over([...grounds, getComputedStyle(el).color])), light(over(grounds))];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (ratio < 4.5) faults.push('contrast ' + ratio.toFixed(2) + ': ' + name(el));
	}
	return faults;
})()`

// looks checks the look, and keeps a picture.
func (tb *tab) looks(name string) {
	tb.t.Helper()
	tb.still()
	for _, fault := range eval[[]string](tb, "%s", faultsOfLook) {
		tb.t.Errorf("%s: %s", name, fault)
	}
	tb.shot(name)
}

// everywhere checks the look in both themes, on a desk and on a phone; from then
// on Chromium takes the tab for one without a mouse.
func (tb *tab) everywhere(name string) {
	tb.t.Helper()
	for _, theme := range []string{"dark", "light"} {
		tb.prefer("prefers-color-scheme", theme)
		tb.wait(`(document.documentElement.dataset.theme ?? %q) === %q`, theme, theme) // the dashboard has no choice
		tb.size(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch)
		tb.looks(name + "-phone-" + theme)
		tb.size(1280, 800)
		tb.looks(name + "-" + theme)
	}
}

func (tb *tab) joinRoom(name string) {
	tb.t.Helper()
	tb.click("#room-input")
	tb.put(name)
	tb.press("\r")
	tb.wait(`document.querySelector('#room-title').textContent === %q`, "#"+name)
	tb.wait(`document.querySelector('.room[data-active=true]').dataset.status === 'joined'`)
}

func TestPage_Look(t *testing.T) {
	browser := startBrowser(t)
	c := newChat(t)
	busyRoom(c)

	guest := openTab(t, browser, c, "", "/")
	guest.wait(`document.querySelector('#welcome-name').value`)
	guest.everywhere("welcome")

	tb := openTab(t, browser, c, "Ada", "/#/lobby")
	tb.text("#messages", "🎉")
	for _, name := range []string{"design", "a-name-of-a-room-that-is-too-long-for-the-list", "комната"} {
		tb.joinRoom(name)
	}
	tb.everywhere("empty")
	grace := openTab(t, browser, c, "Grace Hopper", "/#/lobby")
	c.post("design", "Linus", "See the new drawing.", time.Now())
	tb.click(`.room[data-room=lobby] .room-open`)
	c.do(func() { c.refuse["message"] = event{"code": "bad_text"} })
	tb.say("This one is refused.")
	tb.wait(`document.querySelector('.message[data-state=failed]')`)
	grace.wait(`document.querySelector('#people-count').textContent === '2'`)
	grace.click("#composer-input")
	grace.press("w")
	tb.wait(`document.querySelector('#typing[data-shown]')`)
	openTab(t, browser, c, "Bo", "/#/lobby")
	tb.text("#messages li.notice", "Bo joined")
	tb.everywhere("busy")

	tb.size(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch)
	tb.click("#open-rooms")
	tb.looks("phone-rooms")
	tb.press(escape)
	tb.click("#open-people")
	tb.looks("phone-people")
	tb.press(escape)
	tb.size(900, 700)
	tb.looks("tablet")
	tb.size(1280, 800)
	tb.click("#help")
	tb.looks("help")
	tb.press(escape)
	tb.click("#rename")
	tb.looks("rename")
}

func TestPage_TextIsText(t *testing.T) {
	browser := startBrowser(t)
	c := newChat(t)
	busyRoom(c)
	tb := openTab(t, browser, c, `<img src=x onerror=pwned=1>`, "/#/lobby")
	tb.text("#messages", "🎉")
	const mine = `<svg onload=pwned=1></svg> <a href="javascript:pwned=1">x</a>`
	tb.say(mine)
	tb.text("#messages", mine)
	if got := tb.texts(); !slices.Contains(got, c.rooms["lobby"][4]["text"].(string)) {
		t.Errorf("the hostile message is not shown as it was written: %q", got)
	}
	tb.text("#people", "<img src=x")
	if n := eval[int](tb, `document.querySelectorAll('#messages :is(script, img, svg, b, [onclick], [onerror]), #people img, #side .me img').length`); n != 0 {
		t.Errorf("%d elements were made of text", n)
	}
	links := eval[[]string](tb, `[...document.querySelectorAll('#messages a')].map((a) => a.href + ' ' + a.rel + ' ' + a.target)`)
	want := []string{"https://example.com/nightly.html", "https://x.example/"}
	for i := range want {
		want[i] += " noopener noreferrer nofollow _blank"
	}
	if !slices.Equal(links, want) {
		t.Errorf("links: %q, want %q", links, want)
	}
	if eval[bool](tb, `'pwned' in window`) {
		t.Error("a script of a message ran")
	}
}

// TestPage_Policy shows that the browser enforces what the headers promise, and
// that these tests would see a violation.
func TestPage_Policy(t *testing.T) {
	tb := openTab(t, startBrowser(t), newChat(t), "Mallory", "/")
	tb.wait(`document.querySelector('#app')?.checkVisibility()`)
	tb.expect = []string{"ontent Security Policy", "Trusted", "violates", "Failed to fetch"}
	for name, attack := range map[string]string{
		"Inline":       `{ const s = document.createElement('script'); s.append('pwned=1'); document.body.append(s); }`,
		"Eval":         `eval('pwned=1')`,
		"InnerHTML":    `document.body.innerHTML = '<b>x</b>'`,
		"Handler":      `{ const b = document.createElement('button'); b.setAttribute('onclick', 'pwned=1'); document.body.append(b); b.click(); }`,
		"Style":        `document.body.setAttribute('style', 'display: none')`,
		"Elsewhere":    `fetch('http://127.0.0.1:9/')`,
		"OtherPicture": `{ const i = new Image(); i.src = 'http://127.0.0.1:9/x.png'; }`,
	} {
		t.Run(name, func(t *testing.T) {
			tb.t = t
			call(tb, chromedp.Evaluate[chromedp.Void]("setTimeout(() => { "+attack+" })"))
			for end := time.Now().Add(patience); ; time.Sleep(15 * time.Millisecond) {
				tb.mu.Lock()
				seen := len(tb.faults)
				tb.mu.Unlock()
				if seen > 0 {
					break
				}
				if time.Now().After(end) {
					t.Fatal("the browser reports no violation")
				}
			}
			if eval[bool](tb, `'pwned' in window || !document.querySelector('#app')?.checkVisibility()`) {
				t.Error("it worked")
			}
			tb.check()
		})
	}
}
