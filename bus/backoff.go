package bus

import (
	"math/rand/v2"
	"time"
)

// backoff is the wait between attempts: doubled each time up to last, and spread
// over its upper half, so that nodes that lost the bus together do not come back
// together.
type backoff struct {
	first, last time.Duration
	next        time.Duration
}

func (b *backoff) reset() { b.next = 0 }

func (b *backoff) wait() time.Duration {
	if b.next == 0 {
		b.next = b.first
	}
	d := b.next/2 + rand.N(b.next/2+1)
	b.next = min(2*b.next, b.last)
	return d
}
