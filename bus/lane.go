package bus

import (
	"context"
	"errors"
	"time"
)

// errSlow means that a call took longer than it may. Whether it was carried out is
// unknown.
var errSlow = errors.New("bus: no answer in time")

// lane carries one call at a time. rueidis may hold a caller past its context (a full
// ring, somebody else's dial), so each call runs on a goroutine of its own, which is left
// behind when the time is up; until that one returns the lane is taken, so that there
// is never more than one of them.
type lane chan struct{}

func newLane() lane { return make(lane, 1) }

// ask runs f in the lane. After an error nothing that f uses may be used again.
func ask[T any](ctx context.Context, l lane, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case l <- struct{}{}:
	case <-ctx.Done():
		return none, errSlow
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := f(ctx)
		<-l
		answered <- answer{value, err}
	}()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		return none, errSlow
	}
}
