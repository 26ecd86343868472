package link

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// echo answers at a Unix socket with what it hears.
func echo(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	return path
}

func open(t *testing.T) *Link {
	t.Helper()
	l, err := Listen(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func dial(t *testing.T, l *Link) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", l.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// hear reads one byte; 0: nothing came, but the connection stands.
func hear(t *testing.T, c net.Conn, within time.Duration) (b byte, err error) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(within)); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	_, err = c.Read(one)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		err = nil
	}
	return one[0], err
}

func say(t *testing.T, c net.Conn, b byte) {
	t.Helper()
	if _, err := c.Write([]byte{b}); err != nil {
		t.Fatal(err)
	}
}

func TestLink_StallsAndLosesNothing(t *testing.T) {
	l := open(t)
	c := dial(t, l)
	say(t, c, 'a')
	if b, err := hear(t, c, 5*time.Second); b != 'a' {
		t.Fatalf("heard %q, %v", b, err)
	}
	l.Stall()
	say(t, c, 'b')
	if b, err := hear(t, c, 50*time.Millisecond); b != 0 || err != nil {
		t.Fatalf("stalled: heard %q, %v", b, err)
	}
	late := dial(t, l)
	say(t, late, 'c')
	l.Mend()
	for want, c := range map[byte]net.Conn{'b': c, 'c': late} {
		if b, err := hear(t, c, 5*time.Second); b != want {
			t.Errorf("mended: heard %q, %v, want %q", b, err, want)
		}
	}
}

func TestLink_BreaksAndComesBack(t *testing.T) {
	l := open(t)
	c := dial(t, l)
	say(t, c, 'a')
	_, _ = hear(t, c, 5*time.Second)
	l.Break()
	if b, err := hear(t, c, 5*time.Second); err == nil {
		t.Fatalf("broken: heard %q", b)
	}
	if b, err := hear(t, dial(t, l), 5*time.Second); err == nil {
		t.Fatalf("broken, a new one: heard %q", b)
	}
	l.Mend()
	c = dial(t, l)
	say(t, c, 'd')
	if b, err := hear(t, c, 5*time.Second); b != 'd' {
		t.Errorf("mended: heard %q, %v", b, err)
	}
}

// A link that is stalled for ever can be closed.
func TestLink_ClosesWhileStalled(t *testing.T) {
	l := open(t)
	c := dial(t, l)
	l.Stall()
	say(t, c, 'a')
}
