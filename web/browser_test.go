package web

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience bounds every wait for the browser; nothing is measured with it.
const patience = 30 * time.Second

// chromium is the one browser of all tests: starting one costs more than most of
// them. It starts with the first test that needs it; TestMain stops it.
type chromium struct {
	lanes chan struct{} // tests that run beside each other, two at most

	start sync.Once
	ctx   context.Context
	stop  func()
	err   error
}

var browser = chromium{lanes: make(chan struct{}, 2), stop: func() {}}

func (b *chromium) run() {
	path, err := exec.LookPath("chromium")
	if err != nil {
		b.err = fmt.Errorf("the page is tested in Chromium: %w", err)
		return
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-component-update", true),
		// A mouse, which a machine without one would not have.
		chromedp.Flag("blink-settings", "primaryHoverType=2,availableHoverTypes=2,primaryPointerType=4,availablePointerTypes=4"))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(alloc)
	b.ctx, b.stop = ctx, func() {
		cancel()
		stop()
	}
	b.err = chromedp.Do(ctx)
}

// startBrowser returns the browser to a test, which from then on runs beside
// another one.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	t.Parallel()
	browser.lanes <- struct{}{}
	t.Cleanup(func() { <-browser.lanes })
	browser.start.Do(browser.run)
	if browser.err != nil {
		t.Fatal(browser.err)
	}
	return browser.ctx
}

// tab is one page. Whatever it writes to its console as a warning, an error or
// a violated policy fails the test, unless expect names a part of it.
type tab struct {
	t      *testing.T
	ctx    context.Context
	url    string
	expect []string

	mu     sync.Mutex
	faults []string
}

// newTab makes a tab whose paths are those of url.
func newTab(t *testing.T, parent context.Context, url string, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(parent, options...)
	tb := &tab{t: t, ctx: ctx, url: url}
	t.Cleanup(func() {
		tb.check()
		cancel()
	})
	if err := chromedp.Listen(ctx, tb.listen); err != nil {
		t.Fatal(err)
	}
	// As if its window were the one in front; only one can be.
	send(tb, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	tb.size(1280, 800)
	return tb
}

// openTab opens path of c for a person of that name, who has a cookie jar and a
// storage of their own; "" is a guest without a cookie.
func openTab(t *testing.T, browser context.Context, c *chat, name, path string) *tab {
	t.Helper()
	tb := newTab(t, browser, c.url, chromedp.WithNewBrowserContext())
	if name != "" {
		cookie, _, _ := strings.Cut(c.sessions.Cookie(c.person(name), false), ";")
		key, value, _ := strings.Cut(cookie, "=")
		send(tb, network.SetCookie, network.SetCookieParams{Name: key, Value: value, URL: c.url})
	}
	tb.open(path)
	return tb
}

// sibling opens path in another tab of the same person.
func (tb *tab) sibling(path string) *tab {
	tb.t.Helper()
	other := newTab(tb.t, tb.ctx, tb.url)
	other.open(path)
	return other
}

func (tb *tab) open(path string) {
	tb.t.Helper()
	call(tb, chromedp.Navigate(tb.url+path))
}

func (tb *tab) listen(event any) {
	fault := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			fault += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != "log" && e.Type != "info" && e.Type != "debug" {
			for _, arg := range e.Args {
				fault += string(arg.Value) + arg.Description + " "
			}
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" || e.Entry.Level == "warning" {
			fault = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	}
	if fault != "" {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.faults = append(tb.faults, fault)
	}
}

// check reports what the console showed.
func (tb *tab) check() {
	tb.t.Helper()
	tb.mu.Lock()
	defer tb.mu.Unlock()
next:
	for _, fault := range tb.faults {
		for _, part := range tb.expect {
			if strings.Contains(fault, part) {
				continue next
			}
		}
		tb.t.Errorf("the console shows: %s", fault)
	}
	tb.faults = nil
}

// call runs an action with the patience of the tests.
func call[T any](tb *tab, action chromedp.Action[T]) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		tb.t.Fatal(err)
	}
	return value
}

// send runs a command of the DevTools protocol.
func send[P, R any](tb *tab, command cdp.Command[P, R], params P) R {
	tb.t.Helper()
	return call(tb, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, command, params) })
}

// eval returns the value of a JavaScript expression; %q of Go is a string of
// JavaScript for the texts that tests put in.
func eval[T any](tb *tab, format string, args ...any) T {
	tb.t.Helper()
	return call(tb, chromedp.Evaluate[T](fmt.Sprintf(format, args...), chromedp.EvalAwaitPromise))
}

// wait waits until the expression is true. It asks from outside, because the
// page's policy forbids to compile a condition inside.
func (tb *tab) wait(format string, args ...any) {
	tb.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(15 * time.Millisecond) {
		if eval[bool](tb, "Boolean("+format+")", args...) {
			return
		}
		if time.Now().After(end) {
			tb.shot("failed")
			tb.t.Fatalf("never true: "+format+"\n%s", append(args, eval[string](tb, `document.body.innerText`))...)
		}
	}
}

// text waits until the element shows the text.
func (tb *tab) text(selector, want string) {
	tb.t.Helper()
	tb.wait(`document.querySelector(%q)?.textContent.includes(%q)`, selector, want)
}

// texts lists what the messages say, from the first shown to the last.
func (tb *tab) texts() []string {
	tb.t.Helper()
	return eval[[]string](tb, `[...document.querySelectorAll('#messages .message-text')].map((el) => el.textContent)`)
}

// click clicks into the middle of an element with the mouse, once nothing is in its way.
func (tb *tab) click(selector string) {
	tb.t.Helper()
	const where = `(() => {
		const el = document.querySelector(%q);
		const box = el?.getBoundingClientRect();
		const [x, y] = box ? [box.x + box.width / 2, box.y + box.height / 2] : [0, 0];
		return el?.contains(document.elementFromPoint(x, y)) ? [x, y] : [];
	})()`
	tb.wait(where+`.length === 2`, selector)
	at := eval[[]float64](tb, where, selector)
	call(tb, chromedp.MouseClickXY(at[0], at[1]))
}

// press sends keys to what has the focus: characters, or those of package kb.
// Unlike chromedp's KeyEvent it lets a page that cancels a keydown cancel its
// character too, as a keyboard does.
func (tb *tab) press(keys string, modifiers ...chromedp.Modifier) {
	tb.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		down, up := *events[0], *events[len(events)-1]
		for _, m := range modifiers {
			down.Modifiers |= int64(m)
			up.Modifiers |= int64(m)
		}
		down.Type = input.DispatchKeyEventTypeRawKeyDown
		if len(events) == 3 && down.Modifiers&^int64(chromedp.ModifierShift) == 0 {
			down.Type, down.Text = input.DispatchKeyEventTypeKeyDown, events[1].Text
		}
		send(tb, input.DispatchKeyEvent, down)
		send(tb, input.DispatchKeyEvent, up)
	}
}

// put inserts text where the cursor is, like a paste.
func (tb *tab) put(text string) {
	tb.t.Helper()
	send(tb, input.InsertText, input.InsertTextParams{Text: text})
}

// say writes a message and sends it with Enter.
func (tb *tab) say(text string) {
	tb.t.Helper()
	tb.click("#composer-input")
	tb.put(text)
	tb.press("\r")
}

func (tb *tab) size(width, height int64, options ...chromedp.EmulateViewportOption) {
	tb.t.Helper()
	call(tb, chromedp.EmulateViewport(width, height, options...))
}

// prefer sets a media feature, such as prefers-color-scheme.
func (tb *tab) prefer(feature, value string) {
	tb.t.Helper()
	send(tb, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: feature, Value: value}},
	})
}

// shot keeps a picture of the tab in the folder that NEBULA_SHOTS names, for people.
func (tb *tab) shot(name string) {
	tb.t.Helper()
	folder := os.Getenv("NEBULA_SHOTS")
	if folder == "" {
		return
	}
	picture := send(tb, page.CaptureScreenshot, page.CaptureScreenshotParams{}).Data
	file := strings.NewReplacer("/", "-", "TestPage_", "").Replace(tb.t.Name()) + "-" + name + ".png"
	if err := os.WriteFile(filepath.Join(folder, file), picture, 0o600); err != nil {
		tb.t.Error(err)
	}
}
