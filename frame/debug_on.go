//go:build nebuladebug

package frame

import (
	"fmt"
	"hash/maphash"
	"runtime"
	"strings"
	"sync"
)

// poison fills the bytes of a freed Buf: a reader that holds it too long sees nonsense, and a writer is
// found when the Buf is taken again.
const poison = 0xDB

// debug finds misuse of a Buf: writes after it was shared, writes after it was freed, and double
// releases, which it reports with the stack of the release that came first.
type debug struct {
	mu       sync.Mutex
	pooled   bool // has been through free
	sum      uint64
	sumOf    int // bytes under sum; 0: not frozen
	released [24]uintptr
	depth    int
}

// sumSeed is shared so that sums taken on different goroutines compare.
var sumSeed = maphash.MakeSeed()

func (d *debug) taken(b *Buf) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pooled {
		for _, c := range b.B[:cap(b.B)] {
			if c != poison {
				panic("frame: a Buf was written to after its release\n" + d.stack())
			}
		}
	}
	d.sumOf, d.depth = 0, 0
}

// shared freezes anything but a message, which its holders share before it has a seq.
func (d *debug) shared(b *Buf) {
	if b.msg.end == 0 {
		d.frozen(b)
	}
}

func (d *debug) frozen(b *Buf) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.sumOf == 0 {
		d.sum, d.sumOf = maphash.Bytes(sumSeed, b.B), len(b.B)
	}
}

func (d *debug) freed(b *Buf) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.depth = runtime.Callers(2, d.released[:])
	if d.sumOf > 0 && (len(b.B) < d.sumOf || maphash.Bytes(sumSeed, b.B[:d.sumOf]) != d.sum) {
		panic("frame: a Buf was written to after it was shared; last released\n" + d.stack())
	}
	all := b.B[:cap(b.B)]
	for i := range all {
		all[i] = poison
	}
	d.pooled = true
}

func (d *debug) misused(what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	panic("frame: " + what + "; last released\n" + d.stack())
}

func (d *debug) stack() string {
	var s strings.Builder
	frames := runtime.CallersFrames(d.released[:d.depth])
	for {
		f, more := frames.Next()
		fmt.Fprintf(&s, "  %s\n    %s:%d\n", f.Function, f.File, f.Line)
		if !more {
			return s.String()
		}
	}
}
