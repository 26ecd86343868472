package web

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

var (
	keyA = []byte("a key of the tests, thirty-two b")
	keyB = []byte("another key that is used in them")
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func newClock() *clock { return &clock{t: time.Unix(1_800_000_000, 0)} }

// value returns the cookie pair of a Set-Cookie value.
func pairOf(setCookie string) string {
	pair, _, _ := strings.Cut(setCookie, ";")
	return pair
}

func TestSessions_RoundTrip(t *testing.T) {
	s := NewSessions([][]byte{keyA}, newClock().now)
	want := Identity{User: uuid.NewString(), Name: "Zoë 🦊 =;,", Issued: newClock().t}
	got, ok := s.Read("a=b; " + pairOf(s.Cookie(want, true)) + ";c=d")
	if !ok || got.User != want.User || got.Name != want.Name || !got.Issued.Equal(want.Issued) {
		t.Fatalf("got %+v, %v, want %+v", got, ok, want)
	}
	if n := s.Rejected(); n != 0 {
		t.Errorf("rejected: got %d, want 0", n)
	}
}

func TestSessions_CookieAttributes(t *testing.T) {
	s := NewSessions([][]byte{keyA}, newClock().now)
	_, attributes, _ := strings.Cut(s.Cookie(s.Guest(), true), ";")
	if want := " Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax; Secure"; attributes != want {
		t.Errorf("got %q, want %q", attributes, want)
	}
	if c := s.Cookie(s.Guest(), false); strings.Contains(c, "Secure") {
		t.Errorf("not secure: got %q", c)
	}
	if got, want := s.Forget(false), "nebula_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"; got != want {
		t.Errorf("forget: got %q, want %q", got, want)
	}
}

func TestSessions_Refused(t *testing.T) {
	c := newClock()
	s := NewSessions([][]byte{keyA}, c.now)
	good := pairOf(s.Cookie(Identity{User: uuid.NewString(), Name: "n"}, false))
	blob, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(good, cookieName+"="))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(i int) string {
		b := append([]byte(nil), blob...)
		b[i] ^= 1
		return cookieName + "=" + base64.RawURLEncoding.EncodeToString(b)
	}
	old := pairOf(s.Cookie(Identity{User: "u", Name: "n", Issued: c.t.Add(-maxAge - time.Second)}, false))
	ahead := pairOf(s.Cookie(Identity{User: "u", Name: "n", Issued: c.t.Add(time.Hour)}, false))
	for name, header := range map[string]string{
		"other key": pairOf(NewSessions([][]byte{keyB}, c.now).Cookie(Identity{User: "u", Name: "n"}, false)),
		"version":   flip(0),
		"time":      flip(8),
		"user":      flip(12),
		"name":      flip(len(blob) - 33),
		"signature": flip(len(blob) - 1),
		"short":     cookieName + "=AAAA",
		"base64":    good + "!",
		"long":      cookieName + "=" + strings.Repeat("A", maxCookie+1),
		"too old":   old,
		"too new":   ahead,
	} {
		t.Run(name, func(t *testing.T) {
			before := s.Rejected()
			if id, ok := s.Read(header); ok {
				t.Errorf("got %+v, want none", id)
			}
			if got := s.Rejected() - before; got != 1 {
				t.Errorf("counted: got %d, want 1", got)
			}
		})
	}
	if _, ok := s.Read(good); !ok {
		t.Error("the untouched cookie was refused")
	}
}

func TestSessions_LastDay(t *testing.T) {
	c := newClock()
	s := NewSessions([][]byte{keyA}, c.now)
	pair := pairOf(s.Cookie(s.Guest(), false))
	c.t = c.t.Add(maxAge)
	if _, ok := s.Read(pair); !ok {
		t.Error("refused at 30 days")
	}
	c.t = c.t.Add(time.Second)
	if _, ok := s.Read(pair); ok {
		t.Error("believed after 30 days")
	}
}

func TestSessions_NoCookieIsNotCounted(t *testing.T) {
	s := NewSessions([][]byte{keyA}, newClock().now)
	for _, header := range []string{"", ";;", "a=b", cookieName, cookieName + "=", "x" + cookieName + "=AAAA"} {
		if id, ok := s.Read(header); ok {
			t.Errorf("%q: got %+v", header, id)
		}
	}
	if n := s.Rejected(); n != 0 {
		t.Errorf("rejected: got %d, want 0", n)
	}
}

func TestSessions_GoodOneAmongBad(t *testing.T) {
	s := NewSessions([][]byte{keyA}, newClock().now)
	want := s.Guest()
	got, ok := s.Read(cookieName + "=forged; " + pairOf(s.Cookie(want, false)))
	if !ok || got.User != want.User {
		t.Errorf("got %+v, %v, want %+v", got, ok, want)
	}
	if n := s.Rejected(); n != 1 {
		t.Errorf("rejected: got %d, want 1", n)
	}
}

func TestSessions_RotatedKeys(t *testing.T) {
	c := newClock()
	before := NewSessions([][]byte{keyA}, c.now)
	pair := pairOf(before.Cookie(before.Guest(), false))
	both := NewSessions([][]byte{keyB, keyA}, c.now)
	if _, ok := both.Read(pair); !ok {
		t.Error("a cookie of the older key was refused")
	}
	if _, ok := NewSessions([][]byte{keyB}, c.now).Read(pairOf(both.Cookie(both.Guest(), false))); !ok {
		t.Error("the first key did not sign")
	}
	if _, ok := NewSessions([][]byte{keyB}, c.now).Read(pair); ok {
		t.Error("believed after its key was taken away")
	}
}

func TestSessions_KeysAreCopied(t *testing.T) {
	key := append([]byte(nil), keyA...)
	s := NewSessions([][]byte{key}, newClock().now)
	pair := pairOf(s.Cookie(s.Guest(), false))
	clear(key)
	if _, ok := s.Read(pair); !ok {
		t.Error("refused after the caller cleared its key")
	}
}

func TestSessions_NeedAKey(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic without a key")
		}
	}()
	NewSessions(nil, newClock().now)
}

func TestSessions_Guest(t *testing.T) {
	s := NewSessions([][]byte{keyA}, newClock().now)
	seen := make(map[string]bool)
	for range 100 {
		id := s.Guest()
		user, err := uuid.Parse(id.User)
		if err != nil || user.Version() != 7 {
			t.Fatalf("user: got %q, want a UUIDv7", id.User)
		}
		if seen[id.User] {
			t.Fatalf("user %s twice", id.User)
		}
		seen[id.User] = true
		if name, err := CleanName(id.Name); err != nil || name != id.Name || !strings.Contains(name, " ") {
			t.Errorf("name %q: %v", id.Name, err)
		}
	}
}

func TestFriendlyName_EvenWords(t *testing.T) {
	for _, words := range []string{adjectives, animals} {
		if n := len(strings.Fields(words)); n != 64 {
			t.Errorf("got %d words, want 64", n)
		}
	}
}

func TestCleanName_Rule(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a", "a"},
		{"  Ada Lovelace\t\n", "Ada Lovelace"},
		{"\u00a0Å\u2003", "Å"},
		{strings.Repeat("é", 32), strings.Repeat("é", 32)},
		{" " + strings.Repeat("漢", 32) + " ", strings.Repeat("漢", 32)},
		{"<b>&\"'", "<b>&\"'"},
		{strings.Repeat("é", 33), ""},
		{"", ""},
		{" \t ", ""},
		{"a\x00b", ""},
		{"a\nb", ""},
		{"a\u200bb", ""},
		{"a\u202eb", ""},
		{"a\u2028b", ""},
		{"a\xffb", ""},
		{"a\ufffdb", ""},
	} {
		got, err := CleanName(c.in)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%q: got %q, %v, want %q", c.in, got, err, c.want)
		}
	}
}

func FuzzSessions_Read(f *testing.F) {
	c := newClock()
	s := NewSessions([][]byte{keyA, keyB}, c.now)
	f.Add(pairOf(s.Cookie(Identity{User: "u", Name: "n"}, false)))
	f.Add(cookieName + "=;; " + cookieName + "=A; x")
	f.Fuzz(func(t *testing.T, header string) {
		id, ok := s.Read(header)
		if !ok {
			return
		}
		// Believed: then it is one that these keys signed, and signing it again is read back the same.
		again, ok := s.Read(pairOf(s.Cookie(id, false)))
		if !ok || again.User != id.User || again.Name != id.Name || !again.Issued.Equal(id.Issued) {
			t.Errorf("got %+v, %v, want %+v", again, ok, id)
		}
	})
}
