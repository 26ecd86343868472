//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"nebula/perf/hist"
	"nebula/perf/meter"
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
	caller, hearer *redis
	call           func(payload string) []string
	fromLog        bool // the hearer reads the log, else what is published

	last string // id of the newest entry that the hearer read
}

// newBare returns the path with one of the names above.
func newBare(clock meter.Clock, name, addr string, size int) (*bare, error) {
	b := &bare{clock: clock, name: name, key: "bare:log:" + name, channel: "bare:live:" + name, size: max(size, stampDigits), last: "0"}
	var err, fault error
	b.caller, err = dialRedis(addr)
	b.hearer, fault = dialRedis(addr)
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
		sha, err := b.caller.ask("SCRIPT", "LOAD", bareScript)
		if err != nil {
			return err
		}
		b.call = func(payload string) []string {
			return []string{"EVALSHA", sha.text, "1", b.key, payload, b.channel}
		}
	}
	_, err := b.hearer.ask("SUBSCRIBE", b.channel)
	return err
}

func (b *bare) turn(ctx context.Context, n int, every time.Duration) ([]leg, error) {
	within := time.Duration(n)*every + comeWithin
	if err := errors.Join(b.caller.within(within), b.hearer.within(within)); err != nil {
		return nil, err
	}
	pad := strings.Repeat(".", b.size-stampDigits)
	var took hist.Hist
	err := together(ctx, b.close,
		func() error {
			return pace(ctx, n, every, func(int) error {
				return b.caller.send(b.call(fmt.Sprintf("%0*d", stampDigits, b.clock.Now()) + pad)...)
			})
		},
		func() error {
			for range n {
				if _, err := b.caller.read(); err != nil {
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
				return fmt.Errorf("%w: a payload of %.30q", errReply, payload)
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
		pushed, err := b.hearer.read()
		return []string{pushed.at(2).text}, err // "message", channel, payload
	}
	if err := b.hearer.send("XREAD", "BLOCK", "10000", "STREAMS", b.key, b.last); err != nil {
		return nil, err
	}
	answer, err := b.hearer.read()
	for _, entry := range answer.at(0, 1).list { // of a log its name and entries, of an entry its id and fields
		b.last = entry.at(0).text
		payloads = append(payloads, entry.at(1, 1).text)
	}
	return payloads, err
}

func (b *bare) close() {
	for _, r := range []*redis{b.caller, b.hearer} {
		if r != nil {
			r.close()
		}
	}
}

// entrySize looks on the bus for how large an entry is that carries a text: the
// smallest one, which carries one message.
func entrySize(r *redis, text int) (size int, err error) {
	for cursor := "0"; ; {
		page, err := r.ask("SCAN", cursor, "COUNT", "1000", "TYPE", "stream")
		if err != nil {
			return 0, err
		}
		for _, key := range page.at(1).list {
			newest, err := r.ask("XREVRANGE", key.text, "+", "-", "COUNT", "10")
			if err != nil {
				return 0, err
			}
			for _, entry := range newest.list {
				if n := len(entry.at(1, 1).text); n > text && (size == 0 || n < size) {
					size = n
				}
			}
		}
		if cursor = page.at(0).text; cursor == "0" {
			break
		}
	}
	if size == 0 {
		return 0, errors.New("the bus holds no message")
	}
	return size, nil
}
