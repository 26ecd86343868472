package web

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func newPublic(t *testing.T, change func(*PublicConfig)) http.Handler {
	t.Helper()
	c := newClock()
	cfg := PublicConfig{Sessions: NewSessions([][]byte{keyA}, c.now), Now: c.now}
	if change != nil {
		change(&cfg)
	}
	return Public(cfg)
}

// ask sends one request to h; header lines are "Name: value".
func ask(h http.Handler, method, target, body string, header ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func whoOf(t *testing.T, r *http.Response) who {
	t.Helper()
	var got who
	body := bodyOf(t, r)
	if err := json.Unmarshal([]byte(body), &got); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("got %d %q, %v", r.StatusCode, body, err)
	}
	return got
}

const (
	formType = "Content-Type: application/x-www-form-urlencoded"
	jsonType = "Content-Type: application/json; charset=utf-8"
)

func TestSession_GuestAndSameUser(t *testing.T) {
	h := newPublic(t, nil)
	r := ask(h, "GET", "/session", "")
	guest := whoOf(t, r)
	cookie := "Cookie: " + pairOf(r.Header.Get("Set-Cookie"))
	if guest.User == "" || guest.Name == "" || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %+v, %v", guest, r.Header)
	}
	again := ask(h, "GET", "/session", "", cookie)
	if got := whoOf(t, again); got != guest || again.Header.Get("Set-Cookie") != "" {
		t.Errorf("got %+v %q, want %+v and no new cookie", got, again.Header.Get("Set-Cookie"), guest)
	}
	renamed := ask(h, "POST", "/session", `{"name":" Ada ","more":1}`, jsonType, cookie)
	if got, want := whoOf(t, renamed), (who{guest.User, "Ada"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	cookie = "Cookie: " + pairOf(renamed.Header.Get("Set-Cookie"))
	if got, want := whoOf(t, ask(h, "GET", "/session", "", cookie)), (who{guest.User, "Ada"}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSession_RenewsAnAgedCookie(t *testing.T) {
	c := newClock()
	s := NewSessions([][]byte{keyA}, c.now)
	h := Public(PublicConfig{Sessions: s, Now: c.now})
	cookie := "Cookie: " + pairOf(s.Cookie(Identity{User: "u", Name: "n"}, false))
	c.t = c.t.Add(renewAfter + time.Second)
	r := ask(h, "GET", "/session", "", cookie)
	id, ok := s.Read(pairOf(r.Header.Get("Set-Cookie")))
	if !ok || id.User != "u" || id.Name != "n" || !id.Issued.Equal(c.t) {
		t.Errorf("got %+v, %v, want the same user issued now", id, ok)
	}
}

func TestSession_Bodies(t *testing.T) {
	var multi bytes.Buffer
	m := multipart.NewWriter(&multi)
	_ = m.WriteField("name", "Ada")
	_ = m.Close()
	for name, c := range map[string]struct {
		body, kind string
		status     int
	}{
		"form":             {"name=Ada", formType, 200},
		"multipart":        {multi.String(), "Content-Type: " + m.FormDataContentType(), 200},
		"json":             {`{"name":"Ada"}`, jsonType, 200},
		"json spaces":      {" {\"name\":\"Ada\"} \n", jsonType, 200},
		"name in url only": {"", formType, 400},
		"no type":          {"name=Ada", "X: y", 415},
		"other type":       {"name=Ada", "Content-Type: text/plain", 415},
		"bad type":         {"name=Ada", "Content-Type: ;;", 415},
		"bad json":         {`{"name":`, jsonType, 400},
		"json twice":       {`{"name":"Ada"}{}`, jsonType, 400},
		"json rubbish":     {`{"name":"Ada"}x`, jsonType, 400},
		"json number":      {`{"name":7}`, jsonType, 400},
		"json array":       {`["Ada"]`, jsonType, 400},
		"json surrogate":   {`{"name":"\ud800"}`, jsonType, 400},
		"json control":     {`{"name":"a\u0007b"}`, jsonType, 400},
		"empty":            {"name=+", formType, 400},
		"too many":         {"name=" + strings.Repeat("a", 33), formType, 400},
		"bad escape":       {"name=%zz", formType, 400},
		"huge form":        {"name=" + strings.Repeat("a", maxSessionBody), formType, 413},
		"huge json":        {`{"name":"` + strings.Repeat("a", maxSessionBody) + `"}`, jsonType, 413},
		"huge tail":        {`{"name":"Ada"}` + strings.Repeat(" ", maxSessionBody), jsonType, 413},
	} {
		t.Run(name, func(t *testing.T) {
			r := ask(newPublic(t, nil), "POST", "/session?name=Eve", c.body, c.kind)
			if r.StatusCode != c.status {
				t.Fatalf("got %d %q, want %d", r.StatusCode, bodyOf(t, r), c.status)
			}
			if cookie := r.Header.Get("Set-Cookie"); (cookie != "") != (c.status == 200) {
				t.Errorf("cookie: got %q", cookie)
			}
			if c.status == 200 {
				if got := whoOf(t, r).Name; got != "Ada" {
					t.Errorf("name: got %q, want Ada", got)
				}
			}
		})
	}
}

func TestSession_Origin(t *testing.T) {
	h := newPublic(t, func(cfg *PublicConfig) { cfg.Origins = []string{"friend.example"} })
	for _, method := range []string{"GET", "POST", "DELETE"} {
		for origin, want := range map[string]bool{
			"http://example.com":     true, // httptest's Host
			"https://friend.example": true,
			"http://evil.example":    false,
			"null":                   false,
		} {
			r := ask(h, method, "/session", "name=Ada", formType, "Origin: "+origin)
			if got := r.StatusCode != http.StatusForbidden; got != want {
				t.Errorf("%s from %s: got %d", method, origin, r.StatusCode)
			}
			if !want && r.Header.Get("Set-Cookie") != "" {
				t.Errorf("%s from %s: a cookie was set", method, origin)
			}
		}
	}
	if r := ask(h, "GET", "/session", "", "Origin: http://example.com", "Origin: http://example.com"); r.StatusCode != 403 {
		t.Errorf("two Origin headers: got %d, want 403", r.StatusCode)
	}
}

func TestSession_Delete(t *testing.T) {
	r := ask(newPublic(t, nil), "DELETE", "/session", "")
	if r.StatusCode != http.StatusNoContent || !strings.HasPrefix(r.Header.Get("Set-Cookie"), cookieName+"=; Path=/; Max-Age=0") {
		t.Errorf("got %d %q", r.StatusCode, r.Header.Get("Set-Cookie"))
	}
}

func TestSession_SecureBehindTrustedProxy(t *testing.T) {
	proxy := netip.MustParseAddr("192.0.2.1") // httptest's RemoteAddr
	for _, trusted := range []bool{true, false} {
		h := newPublic(t, func(cfg *PublicConfig) {
			cfg.TrustedProxy = func(a netip.Addr) bool { return trusted && a == proxy }
		})
		r := ask(h, "GET", "/session", "", "X-Forwarded-Proto: https")
		if got := strings.Contains(r.Header.Get("Set-Cookie"), "; Secure"); got != trusted {
			t.Errorf("trusted %v: got Secure %v", trusted, got)
		}
	}
}

func TestPublic_Page(t *testing.T) {
	h := newPublic(t, nil)
	r := ask(h, "GET", "/", "")
	if got := r.Header.Get("Content-Type"); r.StatusCode != 200 || got != "text/html; charset=utf-8" {
		t.Fatalf("got %d %q", r.StatusCode, got)
	}
	if body := bodyOf(t, r); !strings.Contains(body, "<title>Nebula") {
		t.Error("the page has no title")
	}
	etag := r.Header.Get("ETag")
	if again := ask(h, "GET", "/", "", "If-None-Match: "+etag); etag == "" || again.StatusCode != http.StatusNotModified {
		t.Errorf("with its ETag %q: got %d, want 304", etag, again.StatusCode)
	}
	if head := ask(h, "HEAD", "/", ""); head.StatusCode != 200 || bodyOf(t, head) != "" {
		t.Errorf("HEAD: got %d", head.StatusCode)
	}
}

func TestPublic_EveryFileHasItsType(t *testing.T) {
	h := newPublic(t, nil)
	for name, f := range load(staticFiles, "static") {
		if f.mime == "" {
			t.Errorf("%s has no type", name)
		}
		if name == "index.html" {
			continue
		}
		r := ask(h, "GET", "/static/"+name, "")
		if r.StatusCode != 200 || r.Header.Get("Content-Type") != f.mime || r.Header.Get("ETag") == "" {
			t.Errorf("%s: got %d %v", name, r.StatusCode, r.Header)
		}
	}
}

func TestPublic_PagesNeedNothingFromElsewhere(t *testing.T) {
	for root, files := range map[string]map[string]file{"static": load(staticFiles, "static"), "admin": load(adminFiles, "admin")} {
		for name, f := range files {
			body := string(f.body)
			for _, bad := range []string{"<script>", "<style", " style=", " onclick=", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "@import", "cdn."} {
				if strings.Contains(body, bad) {
					t.Errorf("%s/%s holds %q", root, name, bad)
				}
			}
			for _, at := range []string{`src="http`, `href="http`, "url(http", "from 'http", `src="//`} {
				if strings.Contains(body, at) {
					t.Errorf("%s/%s loads from elsewhere: %q", root, name, at)
				}
			}
		}
	}
}

func TestPublic_Headers(t *testing.T) {
	h := newPublic(t, nil)
	for _, target := range []string{"/", "/session", "/readyz", "/nothing", "/ws"} {
		r := ask(h, "GET", target, "")
		csp := r.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: policy %q lacks %q", target, csp, want)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "*") {
			t.Errorf("%s: loose policy %q", target, csp)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s: got %q, want %q", target, name, got, want)
			}
		}
	}
}

func TestPublic_WrongMethodsAndPaths(t *testing.T) {
	h := newPublic(t, nil)
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"POST", "/", 405, "GET, HEAD"},
		{"PUT", "/session", 405, "DELETE, GET, HEAD, POST"},
		{"POST", "/healthz", 405, "GET, HEAD"},
		{"DELETE", "/readyz", 405, "GET, HEAD"},
		{"POST", "/static/core/protocol.js", 405, "GET, HEAD"},
		{"POST", "/ws", 405, "GET"},
		{"GET", "/nothing", 404, ""},
		{"GET", "/index.html", 404, ""},
		{"GET", "/static/", 404, ""},
		{"GET", "/static/index.html", 404, ""},
		{"GET", "/static/nothing.js", 404, ""},
		{"GET", "/jstest/client.test.mjs", 404, ""},
		{"GET", "/metrics", 404, ""},
		{"GET", "/dashboard", 404, ""},
		{"GET", "/debug/pprof/", 404, ""},
		{"GET", "/favicon.ico", 404, ""},
	} {
		r := ask(h, c.method, c.target, "")
		if r.StatusCode != c.status || r.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: got %d, Allow %q, want %d, %q", c.method, c.target, r.StatusCode, r.Header.Get("Allow"), c.status, c.allow)
		}
	}
}

func TestPublic_WS(t *testing.T) {
	handed := 0
	h := newPublic(t, func(cfg *PublicConfig) {
		cfg.Upgrade = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { handed++ })
	})
	ask(h, "GET", "/ws", "", "Upgrade: WebSocket", "Connection: Upgrade")
	ask(h, "GET", "/ws?x=y", "", "Upgrade: websocket")
	if handed != 2 {
		t.Errorf("handed on: got %d, want 2", handed)
	}
	r := ask(h, "GET", "/ws", "")
	if r.StatusCode != http.StatusUpgradeRequired || r.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("no upgrade: got %d %v", r.StatusCode, r.Header)
	}
	if handed != 2 {
		t.Error("a request without upgrade was handed on")
	}
}

func TestHealth_Ready(t *testing.T) {
	var faults map[string]string
	ready := func() map[string]string { return faults }
	pub := newPublic(t, func(cfg *PublicConfig) { cfg.Ready = ready })
	adm := Admin(AdminConfig{Metrics: Registry(func() Snapshot { return Snapshot{} }, BuildInfo{}), Ready: ready})
	for name, h := range map[string]http.Handler{"public": pub, "admin": adm} {
		faults = nil
		if r := ask(h, "GET", "/readyz", ""); r.StatusCode != 200 || bodyOf(t, r) != `{"ready":true,"not_ready":[]}`+"\n" {
			t.Errorf("%s ready: got %d", name, r.StatusCode)
		}
		faults = map[string]string{"draining": "stopping", "database": "/secret/path: no space"}
		r := ask(h, "GET", "/readyz", "")
		want := `{"ready":false,"not_ready":["database","draining"]`
		if name == "admin" {
			want += `,"reasons":{"database":"/secret/path: no space","draining":"stopping"}`
		}
		if body := bodyOf(t, r); r.StatusCode != 503 || body != want+"}\n" {
			t.Errorf("%s not ready: got %d %q, want %q", name, r.StatusCode, body, want)
		}
		if r := ask(h, "GET", "/healthz", ""); r.StatusCode != 200 {
			t.Errorf("%s healthz while not ready: got %d", name, r.StatusCode)
		}
	}
}

func TestAdmin_Pages(t *testing.T) {
	h := Admin(AdminConfig{Metrics: Registry(func() Snapshot { return Snapshot{} }, BuildInfo{})})
	for target, want := range map[string]string{
		"/dashboard":                     "<title>Nebula",
		"/metrics":                       "nebula_connections 0",
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile",
	} {
		r := ask(h, "GET", target, "")
		if body := bodyOf(t, r); r.StatusCode != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d", target, r.StatusCode)
		}
	}
	for target, want := range map[string]int{"/": 404, "/session": 404, "/dashboard/": 404, "/dashboard/nothing": 404} {
		if r := ask(h, "GET", target, ""); r.StatusCode != want {
			t.Errorf("%s: got %d, want %d", target, r.StatusCode, want)
		}
	}
	if r := ask(h, "POST", "/metrics", ""); r.StatusCode != 405 {
		t.Errorf("POST /metrics: got %d, want 405", r.StatusCode)
	}
}

func TestServers_AreBounded(t *testing.T) {
	for name, s := range map[string]*http.Server{"public": PublicServer(nil), "admin": AdminServer(nil)} {
		if s.ReadHeaderTimeout <= 0 || s.ReadTimeout <= 0 || s.WriteTimeout <= 0 || s.IdleTimeout <= 0 || s.MaxHeaderBytes <= 0 {
			t.Errorf("%s: a limit is missing: %+v", name, s)
		}
	}
}

// TestSession_OverTheWire runs the handler in a real server with a cookie jar of a kind.
func TestSession_OverTheWire(t *testing.T) {
	srv := httptest.NewServer(newPublic(t, nil))
	defer srv.Close()
	client := srv.Client()
	defer client.CloseIdleConnections()
	r, err := client.PostForm(srv.URL+"/session", url.Values{"name": {"Ada"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	if got := whoOf(t, r).Name; got != "Ada" || len(r.Cookies()) != 1 || r.Cookies()[0].MaxAge != 2592000 {
		t.Errorf("got %q, %v", got, r.Cookies())
	}
}
