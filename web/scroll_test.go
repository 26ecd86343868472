package web

import (
	"fmt"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// wheel turns the mouse wheel over the messages.
func (tb *tab) wheel(pixels float64) {
	tb.t.Helper()
	// Chromium wants both deltas, cdproto leaves a zero out.
	call(tb, chromedp.MouseEvent(chromedp.MouseWheel, 600, 400, func(p *input.DispatchMouseEventParams) { p.DeltaX, p.DeltaY = 0.01, pixels }))
}

// shown lists the seq of the messages in the document.
func (tb *tab) shown() []int {
	tb.t.Helper()
	return eval[[]int](tb, `[...document.querySelectorAll('li.message')].map((el) => Number(el.dataset.seq))`)
}

// firstInView is the seq of the first message whose top is in view, and where that is.
const firstInView = `(() => {
	const top = document.querySelector('#log').getBoundingClientRect().top;
	for (const el of document.querySelectorAll('li.message')) {
		const at = el.getBoundingClientRect().top - top;
		if (at >= 0) return [Number(el.dataset.seq), Math.round(at)];
	}
	return [0, 0];
})()`

// stays checks that the first message in view still is where it was, but for parts of a pixel.
func (tb *tab) stays(before []int) {
	tb.t.Helper()
	after := eval[[]int](tb, "%s", firstInView)
	if after[0] != before[0] || after[1] < before[1]-2 || after[1] > before[1]+2 {
		tb.t.Errorf("what is read moved: message and place %v, then %v", before, after)
	}
}

// scrollUntil turns the wheel until done. What it sees on the way, which it
// returns, must be without a hole, and never too much at once.
func (tb *tab) scrollUntil(step float64, done func() bool) map[int]bool {
	tb.t.Helper()
	seen := map[int]bool{}
	for end := time.Now().Add(2 * patience); ; tb.wheel(step) {
		finished := done()
		seqs := tb.shown()
		for i, seq := range seqs {
			seen[seq] = true
			if i > 0 && seq != seqs[i-1]+1 {
				tb.t.Fatalf("%d follows %d", seq, seqs[i-1])
			}
		}
		if len(seqs) > 300 {
			tb.t.Fatalf("%d messages in the document: it grows without bound", len(seqs))
		}
		if finished {
			return seen
		}
		if time.Now().After(end) {
			tb.t.Fatalf("it never ends; shown are %d to %d", seqs[0], seqs[len(seqs)-1])
		}
	}
}

func TestPage_ScrollUp(t *testing.T) {
	const all = 730
	c := newChat(t)
	for i := range all {
		c.post("lobby", []string{"Zed", "Linus", "Lin"}[i/4%3], fmt.Sprintf("message %d", i+1), time.Now().Add(time.Duration(i-all)*time.Minute))
	}
	tabs := lobby(t, c, "Ada", "Grace")
	tb := tabs[0]
	tb.lastMessage(fmt.Sprintf("message %d", all), "acked")
	seen := tb.scrollUntil(-1500, func() bool { return tb.shown()[0] == 1 })
	tb.wait(`document.querySelector('#messages li.beginning strong')`)
	if len(seen) != all {
		t.Errorf("%d messages were shown on the way up, want %d", len(seen), all)
	}
	tb.wheel(-30000)
	tb.wait(`document.querySelector('#log').scrollTop === 0`)

	// What is read stays where it is, whatever comes below and above.
	tb.wheel(900)
	tb.wait(`document.querySelector('#log').scrollTop === 900`)
	before := eval[[]int](tb, "%s", firstInView)
	tabs[1].say("news")
	tb.wait(`document.querySelector('#jump').dataset.new === 'true'`)
	tb.text("#jump", "1 new")
	tb.stays(before)
	tb.looks("scrolled-up")

	// All the way down again, without a hole.
	tb.scrollUntil(3000, func() bool { return eval[bool](tb, `document.querySelector('#jump').hidden`) })
	tb.lastMessage("news", "acked")
	tb.wheel(-5000)
	tb.wait(`!document.querySelector('#jump').hidden`)
	tb.click("#jump")
	tb.lastMessage("news", "acked")
	tb.focused("#composer-input")
	tb.wheel(-5000)
	tb.wait(`!document.querySelector('#jump').hidden`)
	tb.press(kb.Escape)
	tb.wait(`document.querySelector('#jump').hidden`)
}

// TestPage_ReadsOn checks that the place is kept while older messages come in above.
func TestPage_ReadsOn(t *testing.T) {
	c := newChat(t)
	for i := range 120 {
		c.post("lobby", "Zed", fmt.Sprintf("message %d", i+1), time.Now().Add(-time.Hour))
	}
	tb := lobby(t, c, "Ada")[0]
	tb.lastMessage("message 120", "acked")
	tb.wait(`document.querySelectorAll('li.message').length === 50`)
	answer := c.hold("history")
	tb.wheel(-30000)
	tb.wait(`document.querySelector('#log').scrollTop === 0`)
	tb.wheel(200)
	tb.wait(`document.querySelector('#log').scrollTop === 200`)
	before := eval[[]int](tb, "%s", firstInView)
	answer()
	tb.wait(`document.querySelectorAll('li.message').length > 50`)
	tb.stays(before)
}
