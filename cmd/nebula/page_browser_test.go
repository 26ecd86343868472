package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// startBrowser runs Chromium until the test ends.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the page is tested in Chromium: ", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-component-update", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// tab is one page. A warning, an error, an exception or a violated policy in its
// console fails the test; of a connection that failed Chromium tells there too,
// which is right only where offline is set.
type tab struct {
	t       *testing.T
	ctx     context.Context
	cancel  context.CancelFunc
	offline bool

	mu     sync.Mutex
	faults []string
}

// openTab opens a page for somebody with a cookie jar and a storage of their own.
func openTab(t *testing.T, browser context.Context, url string) *tab {
	t.Helper()
	return openIn(t, url, browser, chromedp.WithNewBrowserContext())
}

// sibling opens another page of the same person.
func (tb *tab) sibling(url string) *tab {
	tb.t.Helper()
	return openIn(tb.t, url, tb.ctx)
}

func openIn(t *testing.T, url string, parent context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	tb := &tab{t: t}
	tb.ctx, tb.cancel = chromedp.NewContext(parent, options...)
	t.Cleanup(tb.close)
	if err := chromedp.Listen(tb.ctx, tb.listen); err != nil {
		t.Fatal(err)
	}
	// As if its window were the one in front; only one can be.
	runIn(tb, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
		return err
	}))
	runIn(tb, chromedp.EmulateViewport(1280, 800))
	runIn(tb, chromedp.Navigate(url))
	return tb
}

// close closes the page and reports what its console showed.
func (tb *tab) close() {
	tb.t.Helper()
	tb.cancel()
	tb.mu.Lock()
	defer tb.mu.Unlock()
	for _, fault := range tb.faults {
		if !tb.offline || !strings.Contains(fault, "WebSocket") {
			tb.t.Errorf("the console shows: %s", fault)
		}
	}
	tb.faults = nil
}

func (tb *tab) listen(e any) {
	fault := ""
	switch e := e.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			fault += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" || e.Type == "warning" || e.Type == "assert" {
			fault = "console." + string(e.Type)
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

// runIn runs an action in the tab.
func runIn[T any](tb *tab, action chromedp.Action[T]) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		tb.t.Fatal(err)
	}
	return value
}

// eval returns the value of a JavaScript expression.
func eval[T any](tb *tab, format string, args ...any) T {
	tb.t.Helper()
	return runIn(tb, chromedp.Evaluate[T](fmt.Sprintf(format, args...)))
}

// wait waits until the expression is true. It asks from outside, because the
// page's policy forbids to compile a condition inside.
func (tb *tab) wait(format string, args ...any) {
	tb.t.Helper()
	condition := fmt.Sprintf("Boolean("+format+")", args...)
	for end := time.Now().Add(patience); !eval[bool](tb, "%s", condition); time.Sleep(15 * time.Millisecond) {
		if time.Now().After(end) {
			tb.t.Fatalf("never true: %s\n%s", condition, eval[string](tb, `document.body.innerText`))
		}
	}
}

// until repeats step until it is true.
func (tb *tab) until(step func() bool) {
	tb.t.Helper()
	for end := time.Now().Add(patience); !step(); {
		if time.Now().After(end) {
			tb.t.Fatalf("never true\n%s", eval[string](tb, `document.body.innerText`))
		}
	}
}

// text waits until the element shows the text.
func (tb *tab) text(selector, want string) {
	tb.t.Helper()
	tb.wait(`document.querySelector(%q)?.textContent.includes(%q)`, selector, want)
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
	runIn(tb, chromedp.MouseClickXY(at[0], at[1]))
}

// enter writes into a field, in place of what stands there, and presses Enter.
func (tb *tab) enter(field, text string) {
	tb.t.Helper()
	tb.click(field)
	eval[any](tb, `document.querySelector(%q).select()`, field)
	down := *kb.Encode('\r')[0]
	down.Text = "\r" // one event, so that a page which cancels it cancels the character too
	runIn(tb, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, down)
		return err
	}))
}

// say sends a message to the room that is shown.
func (tb *tab) say(text string) {
	tb.t.Helper()
	tb.enter("#composer-input", text)
}

// join joins a room and shows it.
func (tb *tab) join(room string) {
	tb.t.Helper()
	tb.enter("#room-input", room)
	tb.joined(room)
}

// joined waits until a room is shown and joined.
func (tb *tab) joined(room string) {
	tb.t.Helper()
	tb.wait(`document.querySelector('.room[data-active=true][data-status=joined]')?.dataset.room === %q`, room)
	tb.wait(`document.querySelector('#log').dataset.room === %q`, room)
}

// me is the id of the tab's user.
func (tb *tab) me() string {
	tb.t.Helper()
	tb.wait(`document.querySelector('#me-name').dataset.user`)
	return eval[string](tb, `document.querySelector('#me-name').dataset.user`)
}

// people waits until so many people are in the room, all of them known by name.
func (tb *tab) people(count int) {
	tb.t.Helper()
	tb.wait(`document.querySelector('#people-count').textContent === '%d' && document.querySelectorAll('#people .person').length === %d`, count, count)
}

// notices are the lines about people who came and went.
func (tb *tab) notices() string {
	tb.t.Helper()
	return eval[string](tb, `[...document.querySelectorAll('li.notice')].map((el) => el.textContent).join('; ')`)
}

// shown is a message as a tab shows it.
type shown struct{ Seq, ID, User, Name, Text string }

// messages waits until the tab shows so many messages, none of them on its way,
// and returns them.
func (tb *tab) messages(count int) []shown {
	tb.t.Helper()
	tb.wait(`document.querySelectorAll('li.message').length === %d && !document.querySelector('li.message:not([data-state=acked])')`, count)
	return tb.nowShown()
}

// nowShown returns the messages in the document.
func (tb *tab) nowShown() []shown {
	tb.t.Helper()
	return eval[[]shown](tb, `[...document.querySelectorAll('li.message')].map((el) => ({
		Seq: el.dataset.seq, ID: el.dataset.id, User: el.dataset.user,
		Name: el.querySelector('.message-name').textContent, Text: el.querySelector('.message-text').textContent,
	}))`)
}
