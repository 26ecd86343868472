package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	cookieName = "nebula_session"
	// maxAge is how long a cookie is believed (protocol.md section 6).
	maxAge = 30 * 24 * time.Hour
	// maxSkew is how far ahead another node's clock may be.
	maxSkew = 5 * time.Minute
	// maxCookie bounds the work for a forged value; ours have less than 300 bytes.
	maxCookie = 512

	cookieVersion = 1
	// signing domain, so that a key used elsewhere too signs no cookie there.
	cookieDomain = "nebula session v1\x00"
)

// Identity is who a client is.
type Identity struct {
	User   string    // UUIDv7
	Name   string    // as CleanName returns it
	Issued time.Time // when the cookie was signed; whole seconds
}

// Sessions signs and checks the cookies. Safe for any goroutine.
type Sessions struct {
	// Static after construction.
	keys [][]byte
	now  func() time.Time

	// Atomic; read by metrics.
	rejected atomic.Uint64
}

// NewSessions returns Sessions that sign with keys[0] and verify with all keys.
// It panics without a key: a server that signs with nothing must not start.
func NewSessions(keys [][]byte, now func() time.Time) *Sessions {
	if len(keys) == 0 || len(keys[0]) == 0 {
		panic("web: NewSessions needs a key")
	}
	s := &Sessions{now: now, keys: make([][]byte, 0, len(keys))}
	for _, key := range keys {
		if len(key) > 0 {
			s.keys = append(s.keys, append([]byte(nil), key...))
		}
	}
	return s
}

// Rejected is the number of cookies that were not believed: bad signature,
// malformed, too old or from the future.
func (s *Sessions) Rejected() uint64 { return s.rejected.Load() }

// Read returns the identity in the value of a Cookie header; false if it holds
// no cookie of ours that is believed. Bad ones are counted.
func (s *Sessions) Read(cookieHeader string) (Identity, bool) {
	for rest := cookieHeader; rest != ""; {
		var pair string
		pair, rest, _ = strings.Cut(rest, ";")
		name, value, ok := strings.Cut(strings.Trim(pair, " \t"), "=")
		if !ok || name != cookieName || value == "" {
			continue
		}
		if id, ok := s.verify(value); ok {
			return id, true
		}
		s.rejected.Add(1)
	}
	return Identity{}, false
}

// Guest returns a new user with a friendly name.
func (s *Sessions) Guest() Identity {
	user := uuid.Must(uuid.NewV7()) // fails only without a source of randomness, which Go itself does not survive
	return Identity{User: user.String(), Name: friendlyName(user), Issued: s.now().Truncate(time.Second)}
}

// Cookie returns the Set-Cookie value for id, signed with the first key. A zero
// Issued means now.
func (s *Sessions) Cookie(id Identity, secure bool) string {
	if id.Issued.IsZero() {
		id.Issued = s.now()
	}
	return setCookie(s.sign(id), int(maxAge/time.Second), secure)
}

// Forget returns the Set-Cookie value that removes the cookie.
func (s *Sessions) Forget(secure bool) string { return setCookie("", 0, secure) }

func setCookie(value string, seconds int, secure bool) string {
	c := cookieName + "=" + value + "; Path=/; Max-Age="
	if seconds > 0 {
		c += "2592000"
	} else {
		c += "0"
	}
	c += "; HttpOnly; SameSite=Lax"
	if secure {
		c += "; Secure"
	}
	return c
}

// sign packs version, issue time, length of user, user and name, and appends
// their HMAC.
func (s *Sessions) sign(id Identity) string {
	b := make([]byte, 0, 256)
	b = append(b, cookieVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(id.Issued.Unix()))
	b = append(b, byte(len(id.User)))
	b = append(b, id.User...)
	b = append(b, id.Name...)
	b = append(b, mac(s.keys[0], b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Sessions) verify(value string) (Identity, bool) {
	if len(value) > maxCookie {
		return Identity{}, false
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil || len(b) < 1+8+1+sha256.Size {
		return Identity{}, false
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	signed := false
	for _, key := range s.keys {
		signed = hmac.Equal(sum, mac(key, body)) || signed // all keys, whichever fits: the time tells nothing
	}
	if !signed || body[0] != cookieVersion {
		return Identity{}, false
	}
	issued := time.Unix(int64(binary.BigEndian.Uint64(body[1:9])), 0)
	userEnd := 10 + int(body[9])
	if userEnd > len(body) {
		return Identity{}, false
	}
	if age := s.now().Sub(issued); age > maxAge || age < -maxSkew {
		return Identity{}, false
	}
	return Identity{User: string(body[10:userEnd]), Name: string(body[userEnd:]), Issued: issued}, true
}

func mac(key, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(cookieDomain))
	h.Write(body)
	return h.Sum(nil)
}
