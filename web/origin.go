package web

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// OriginAllowed is the rule of protocol.md section 1: no Origin header (not a
// browser) is allowed; one must name host, or an entry of allow ("host" or
// "host:port"), by host and port. A port left out is the default one of the
// origin's scheme, so that https://a.example equals a.example:443.
func OriginAllowed(origin string, present bool, host string, allow []string) bool {
	if !present {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return false // "null" too: it has no host
	}
	port := ""
	switch u.Scheme {
	case "http":
		port = ":80"
	case "https":
		port = ":443"
	}
	want := withPort(u.Host, port)
	if host != "" && withPort(host, port) == want {
		return true
	}
	for _, a := range allow {
		if a != "" && withPort(a, port) == want {
			return true
		}
	}
	return false
}

// withPort returns hostport in lower case, with port if it has none.
func withPort(hostport, port string) string {
	hostport = strings.ToLower(hostport)
	if strings.LastIndexByte(hostport, ':') > strings.LastIndexByte(hostport, ']') {
		return hostport
	}
	return hostport + port
}

// originOK applies OriginAllowed to r; two Origin headers are one too many.
func originOK(r *http.Request, allow []string) bool {
	origins := r.Header["Origin"]
	switch len(origins) {
	case 0:
		return true
	case 1:
		return OriginAllowed(origins[0], true, r.Host, allow)
	}
	return false
}

// CookieSecure says when cookies get the Secure attribute.
type CookieSecure uint8

// What -cookie-secure can say.
const (
	SecureAuto CookieSecure = iota // over TLS, which a trusted proxy tells with X-Forwarded-Proto
	SecureAlways
	SecureNever
)

// ParseCookieSecure reads the value of -cookie-secure.
func ParseCookieSecure(s string) (CookieSecure, bool) {
	switch s {
	case "auto":
		return SecureAuto, true
	case "always":
		return SecureAlways, true
	case "never":
		return SecureNever, true
	}
	return SecureAuto, false
}

// Secure tells whether a cookie set on this connection gets the Secure
// attribute. forwardedProto is the X-Forwarded-Proto header, believed only if
// the peer is a trusted proxy.
func (c CookieSecure) Secure(tls, trustedPeer bool, forwardedProto string) bool {
	switch c {
	case SecureAlways:
		return true
	case SecureNever:
		return false
	}
	if tls {
		return true
	}
	first, _, _ := strings.Cut(forwardedProto, ",") // the one next to the client, where proxies are chained
	return trustedPeer && strings.EqualFold(strings.TrimSpace(first), "https")
}

// peer is r's remote address, the zero Addr if it has none that is an IP.
func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}
