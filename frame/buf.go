package frame

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// Size classes are powers of two. Below the smallest a Buf's own bookkeeping would outweigh its bytes;
// the largest holds the longest answer there is, half of the default -send-bytes, with room to spare.
const (
	minClassBits = 8  // 256 bytes
	maxClassBits = 20 // 1 MiB
)

var (
	pools [maxClassBits - minClassBits + 1]sync.Pool // of *Buf with cap(B) at or above the class
	live  atomic.Int64
)

// Buf is a pooled, reference-counted run of bytes. It is born with one reference. Whoever holds the only
// one may append to B; from the first Retain on (a message: from Stamp on) everyone reads and nobody
// writes. Retain and Release may be called on any goroutine.
type Buf struct {
	debug debug // empty without -tags nebuladebug

	// Owned by the sole holder until shared, then read-only.
	B   []byte
	msg layout // zero unless EncodeMessage made it

	// Atomic.
	refs atomic.Int32
}

// Get returns an empty Buf with one reference and room for at least capacity bytes.
func Get(capacity int) *Buf {
	live.Add(1)
	class := classAbove(capacity)
	var b *Buf
	switch {
	case class > maxClassBits:
		b = &Buf{B: make([]byte, 0, capacity)}
	default:
		b, _ = pools[class-minClassBits].Get().(*Buf)
		if b == nil {
			b = &Buf{B: make([]byte, 0, 1<<class)}
		}
	}
	b.debug.taken(b)
	b.refs.Store(1)
	return b
}

// Bytes returns what belongs on a socket: B, or of a message only its frame.
// The slice is valid until the caller gives its reference back.
func (b *Buf) Bytes() []byte {
	if b.msg.end > 0 {
		return b.B[:b.msg.end]
	}
	return b.B
}

// Retain adds n references, for n holders that will each call Release once.
func (b *Buf) Retain(n int) {
	if b.refs.Add(int32(n)) <= int32(n) {
		b.debug.misused("Retain of a released Buf")
	}
	b.debug.shared(b)
}

// Release gives one reference back; with the last one the Buf returns to its pool.
func (b *Buf) Release() {
	switch refs := b.refs.Add(-1); {
	case refs == 0:
		b.free()
	case refs < 0:
		b.debug.misused("Release of a released Buf")
	}
}

// Live counts the Bufs that were taken and not yet released, in the whole process.
func Live() int64 { return live.Load() }

func (b *Buf) free() {
	live.Add(-1)
	b.debug.freed(b)
	b.msg = layout{}
	b.B = b.B[:0]
	// B may have grown by append past the class that it came from.
	if class := bits.Len(uint(cap(b.B))) - 1; class >= minClassBits && cap(b.B) <= 1<<maxClassBits {
		pools[class-minClassBits].Put(b)
	}
}

// grown returns a Buf with the bytes of b and room for more of them, and takes the reference to b.
func (b *Buf) grown(more int) *Buf {
	if len(b.B)+more <= cap(b.B) {
		return b
	}
	g := Get(len(b.B) + more)
	g.B = append(g.B, b.B...)
	b.Release()
	return g
}

// classAbove returns the exponent of the smallest class that holds capacity bytes.
func classAbove(capacity int) int {
	if capacity <= 1<<minClassBits {
		return minClassBits
	}
	return bits.Len(uint(capacity - 1))
}
