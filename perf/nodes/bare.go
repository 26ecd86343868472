//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"nebula/perf/hist"
	"nebula/perf/meter"
	"nebula/perf/resp"
	"strconv"
	"strings"
	"time"
)

// Names of the bare legs.
const (
	logLeg     = "XADD to a blocking XREAD"
	channelLeg = "PUBLISH to SUBSCRIBE"
	scriptLeg  = "EVALSHA of XADD and PUBLISH, to SUBSCRIBE"
)

// bareLength is how many entries stay in a log, about.
const bareLength = "1000"

// bareScript is the least that gives a message its place in a log and tells it.
const bareScript = `redis.call('XADD', KEYS[1], 'MAXLEN', '~', ` + bareLength + `, '*', 'e', ARGV[1])
return redis.call('PUBLISH', ARGV[2], ARGV[1])`

// stampDigits is the width of the time that starts a payload: ns below 2^63.
const stampDigits = 19

// bare is a path through Redis alone: one connection calls, another one hears.
type bare struct {
	// Static after construction.
	clock          meter.Clock
	name           string
	key, channel   string // its own: what another path leaves there would be heard
	size           int    // of a payload, bytes
	caller, hearer *resp.Conn
	call           func(payload string) []string
	fromLog        bool // the hearer reads the log, else what is published

	last string // id of the newest entry that the hearer read
}

// newBare returns the path with one of the names above.
func newBare(clock meter.Clock, name, addr string, size int) (*bare, error) {
	b := &bare{clock: clock, name: name, key: "bare:log:" + name, channel: "bare:live:" + name, size: max(size, stampDigits), last: "0"}
	var err, fault error
	b.caller, err = resp.Dial(addr)
	b.hearer, fault = resp.Dial(addr)
	if err = errors.Join(err, fault); err == nil {
		err = b.prepare()
	}
	if err != nil {
		b.close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

func (b *bare) prepare() error {
	switch b.name {
	case logLeg:
		b.fromLog = true
		b.call = func(payload string) []string {
			return []string{"XADD", b.key, "MAXLEN", "~", bareLength, "*", "e", payload}
		}
		return nil
	case channelLeg:
		b.call = func(payload string) []string { return []string{"PUBLISH", b.channel, payload} }
	case scriptLeg:
		sha, err := b.caller.Ask("SCRIPT", "LOAD", bareScript)
		if err != nil {
			return err
		}
		b.call = func(payload string) []string {
			return []string{"EVALSHA", sha.Text, "1", b.key, payload, b.channel}
		}
	}
	_, err := b.hearer.Ask("SUBSCRIBE", b.channel)
	return err
}

func (b *bare) turn(ctx context.Context, n int, every time.Duration) ([]leg, error) {
	within := time.Duration(n)*every + comeWithin
	if err := errors.Join(b.caller.Limit(within), b.hearer.Limit(within)); err != nil {
		return nil, err
	}
	pad := strings.Repeat(".", b.size-stampDigits)
	var took hist.Hist
	err := together(ctx, b.close,
		func() error {
			return pace(ctx, n, every, func(int) error {
				return b.caller.Send(b.call(fmt.Sprintf("%0*d", stampDigits, b.clock.Now()) + pad)...)
			})
		},
		func() error {
			for range n {
				if _, err := b.caller.Read(); err != nil {
					return err
				}
			}
			return nil
		},
		func() error { return b.hear(n, &took) },
	)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.name, err)
	}
	return []leg{{b.name, took.Summary()}}, nil
}

// hear takes n payloads.
func (b *bare) hear(n int, took *hist.Hist) error {
	for n > 0 {
		payloads, err := b.next()
		if err != nil {
			return err
		}
		now := b.clock.Now()
		for _, payload := range payloads {
			at, err := strconv.ParseInt(payload[:min(len(payload), stampDigits)], 10, 64)
			if err != nil || len(payload) != b.size {
				return fmt.Errorf("%w: a payload of %.30q", resp.ErrReply, payload)
			}
			took.Record(now - at)
			n--
		}
	}
	return nil
}

// next waits for what comes next.
func (b *bare) next() (payloads []string, err error) {
	if !b.fromLog {
		pushed, err := b.hearer.Read()
		return []string{pushed.At(2).Text}, err // "message", channel, payload
	}
	if err := b.hearer.Send("XREAD", "BLOCK", "10000", "STREAMS", b.key, b.last); err != nil {
		return nil, err
	}
	answer, err := b.hearer.Read()
	for _, entry := range answer.At(0, 1).List { // of a log its name and entries, of an entry its id and fields
		b.last = entry.At(0).Text
		payloads = append(payloads, entry.At(1, 1).Text)
	}
	return payloads, err
}

func (b *bare) close() {
	for _, r := range []*resp.Conn{b.caller, b.hearer} {
		if r != nil {
			r.Close()
		}
	}
}

// entrySize looks on the bus for how large an entry is that carries a text: the
// smallest one, which carries one message.
func entrySize(r *resp.Conn, text int) (size int, err error) {
	for cursor := "0"; ; {
		page, err := r.Ask("SCAN", cursor, "COUNT", "1000", "TYPE", "stream")
		if err != nil {
			return 0, err
		}
		for _, key := range page.At(1).List {
			newest, err := r.Ask("XREVRANGE", key.Text, "+", "-", "COUNT", "10")
			if err != nil {
				return 0, err
			}
			for _, entry := range newest.List {
				if n := len(entry.At(1, 1).Text); n > text && (size == 0 || n < size) {
					size = n
				}
			}
		}
		if cursor = page.At(0).Text; cursor == "0" {
			break
		}
	}
	if size == 0 {
		return 0, errors.New("the bus holds no message")
	}
	return size, nil
}
