package web

import "testing"

func TestOriginAllowed_Rule(t *testing.T) {
	allow := []string{"chat.example", "dev.example:3000", ""}
	for _, c := range []struct {
		origin  string
		present bool
		host    string
		want    bool
	}{
		{"", false, "a.example", true},
		{"", true, "a.example", false},
		{"null", true, "a.example", false},
		{"null", true, "null", false},
		{"http://a.example", true, "a.example", true},
		{"https://a.example", true, "a.example", true},
		{"https://A.Example", true, "a.eXample", true},
		{"https://a.example", true, "a.example:443", true},
		{"https://a.example:443", true, "a.example", true},
		{"http://a.example", true, "a.example:443", false},
		{"http://a.example:8080", true, "a.example:8080", true},
		{"http://a.example:8080", true, "a.example", false},
		{"http://a.example:8080", true, "a.example:8081", false},
		{"http://evil.a.example", true, "a.example", false},
		{"http://a.example.evil", true, "a.example", false},
		{"http://[::1]:8080", true, "[::1]:8080", true},
		{"http://[::1]", true, "[::1]:80", true},
		{"http://[::1]", true, "[::2]:80", false},
		{"http://a.example/", true, "a.example", false},
		{"http://a.example?x", true, "a.example", false},
		{"http://u@a.example", true, "a.example", false},
		{"http://a.example http://a.example", true, "a.example", false},
		{"a.example", true, "a.example", false},
		{"http://", true, "", false},
		{"https://chat.example", true, "a.example", true},
		{"http://chat.example", true, "a.example", true},
		{"https://chat.example:8443", true, "a.example", false},
		{"http://dev.example:3000", true, "a.example", true},
		{"http://dev.example", true, "a.example", false},
	} {
		if got := OriginAllowed(c.origin, c.present, c.host, allow); got != c.want {
			t.Errorf("%q (%v) to %q: got %v, want %v", c.origin, c.present, c.host, got, c.want)
		}
	}
}

func TestCookieSecure_Rule(t *testing.T) {
	for _, c := range []struct {
		flag         string
		tls, trusted bool
		forwarded    string
		want         bool
	}{
		{"auto", false, false, "", false},
		{"auto", true, false, "", true},
		{"auto", false, false, "https", false},
		{"auto", false, true, "https", true},
		{"auto", false, true, "HTTPS, http", true},
		{"auto", false, true, "http", false},
		{"always", false, false, "", true},
		{"never", true, true, "https", false},
	} {
		mode, ok := ParseCookieSecure(c.flag)
		if !ok {
			t.Fatalf("%q is not known", c.flag)
		}
		if got := mode.Secure(c.tls, c.trusted, c.forwarded); got != c.want {
			t.Errorf("%+v: got %v", c, got)
		}
	}
	if _, ok := ParseCookieSecure("sometimes"); ok {
		t.Error(`"sometimes" is a known mode`)
	}
}
