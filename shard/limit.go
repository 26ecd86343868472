package shard

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sweepAt is the fewest keys at which a Limiter looks for those that it may forget.
const sweepAt = 1024

// Limiter is a token bucket for each key: a user, an address. Any goroutine.
type Limiter struct {
	// Static after construction.
	rate  rate.Limit
	burst int

	// Guarded by mu.
	mu    sync.Mutex
	keys  map[string]*rate.Limiter
	sweep int // keys at which the next sweep is due
}

// NewLimiter returns a Limiter of so many a second and so many at once.
func NewLimiter(perSecond float64, burst int) *Limiter {
	return &Limiter{rate: rate.Limit(perSecond), burst: burst, keys: make(map[string]*rate.Limiter), sweep: sweepAt}
}

// Take takes a token of key at now (Unix ns); if there is none it returns the
// time until there is one.
func (l *Limiter) Take(key string, now int64) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := time.Unix(0, now)
	bucket := l.keys[key]
	if bucket == nil {
		if len(l.keys) >= l.sweep {
			l.forget(at)
		}
		bucket = rate.NewLimiter(l.rate, l.burst)
		l.keys[key] = bucket
	}
	if bucket.AllowN(at, 1) {
		return 0
	}
	missing := 1 - bucket.TokensAt(at)
	return max(time.Duration(missing/float64(l.rate)*float64(time.Second)), time.Millisecond)
}

// forget drops the keys whose bucket is full again: they are as good as new.
// l.mu must be held.
func (l *Limiter) forget(at time.Time) {
	for key, bucket := range l.keys {
		if bucket.TokensAt(at) >= float64(l.burst) {
			delete(l.keys, key)
		}
	}
	l.sweep = max(2*len(l.keys), sweepAt)
}
