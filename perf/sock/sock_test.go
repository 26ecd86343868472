//go:build linux

package sock

import (
	"errors"
	"io"
	"net/netip"
	"testing"
	"time"
)

var loopback = netip.MustParseAddr("127.0.0.1")

// wait returns the next event of p, which must come.
func wait(t *testing.T, p *Poller) Event {
	t.Helper()
	for {
		events, _, err := p.Wait(int64(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if len(events) > 0 {
			return events[0]
		}
	}
}

// pair connects two sockets from another address of the loopback network.
func pair(t *testing.T) (client, server int) {
	t.Helper()
	listener, at, err := Listen(netip.AddrPortFrom(loopback, 0))
	if err != nil {
		t.Fatal(err)
	}
	defer Close(listener)
	p, err := NewPoller(1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.Add(listener, 1, 0, Read); err != nil {
		t.Fatal(err)
	}
	client, err = Dial(at, netip.MustParseAddr("127.0.0.9"), 0)
	if err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	if server, err = Accept(listener); err != nil {
		t.Fatal(err)
	}
	if err := Connected(client); err != nil {
		t.Fatal(err)
	}
	if _, err := Accept(listener); !errors.Is(err, ErrAgain) {
		t.Errorf("a second accept: got %v, want ErrAgain", err)
	}
	return client, server
}

func TestPoller_SaysWhoseBytesAndWhoseEnd(t *testing.T) {
	client, server := pair(t)
	p, err := NewPoller(8)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.Add(client, 42, 7, Read); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 16)
	if _, err := Receive(client, b); !errors.Is(err, ErrAgain) {
		t.Errorf("nothing to read: got %v, want ErrAgain", err)
	}
	if n, err := Send(server, []byte("hello")); n != 5 || err != nil {
		t.Fatalf("got %d, %v", n, err)
	}
	if e := wait(t, p); e.Key != 42 || e.Gen != 7 || e.What&Read == 0 {
		t.Errorf("got %+v", e)
	}
	if n, err := Receive(client, b); string(b[:n]) != "hello" || err != nil {
		t.Errorf("got %q, %v", b[:n], err)
	}
	if err := p.Change(client, 42, 8, 0); err != nil {
		t.Fatal(err)
	}
	Abort(server)
	if e := wait(t, p); e.Gen != 8 || e.What&(Hangup|Failed) == 0 {
		t.Errorf("got %+v, want the end of the connection", e)
	}
	if _, err := Receive(client, b); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("after a reset: got %v, want an error", err)
	}
	Close(client)
}

func TestSend_StopsWhereTheKernelDoes(t *testing.T) {
	client, server := pair(t)
	defer Close(client)
	block := make([]byte, 1<<20)
	for range 100 {
		if _, err := Send(server, block); errors.Is(err, ErrAgain) {
			Close(server)
			return
		}
	}
	t.Error("a socket that nobody reads took 100 MiB")
}
