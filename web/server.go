package web

import (
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// PublicConfig is what Public needs.
type PublicConfig struct {
	// Sessions signs and reads the cookies. Needed.
	Sessions *Sessions
	// Upgrade takes GET /ws with an upgrade that reached net/http, on a
	// connection that it had served before. nil: such a request gets 426.
	Upgrade http.Handler
	// Ready returns what is not ready and why, by name; nothing when the
	// server can take traffic. Any goroutine; must not block. nil: always ready.
	Ready func() map[string]string
	// Origins are more allowed hosts, "host" or "host:port".
	Origins []string
	// TrustedProxy tells whether X-Forwarded-Proto of this peer is believed. nil: nobody's.
	TrustedProxy func(netip.Addr) bool
	// CookieSecure is when cookies are Secure; default SecureAuto.
	CookieSecure CookieSecure
	// Now is the clock; default time.Now.
	Now func() time.Time
}

// AdminConfig is what Admin needs.
type AdminConfig struct {
	// Metrics is what /metrics shows; see Registry. Needed.
	Metrics prometheus.Gatherer
	// Ready as in PublicConfig; its reasons are shown here.
	Ready func() map[string]string
	// History serves /cluster/history, the copy of a node's database for another
	// node. nil: there is no such path.
	History http.Handler
}

// policy is the Content-Security-Policy of every answer. Trusted Types make
// the browser itself refuse text that is used as HTML or as a script's address.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

type public struct{ cfg PublicConfig }

// Public returns the handler of the public address: page, /session, health,
// and /ws for what did not upgrade on its loop. Everything else is 404, a
// method that is not served 405 with Allow.
func Public(cfg PublicConfig) http.Handler {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	p := &public{cfg: cfg}
	mux := http.NewServeMux()
	files := load(staticFiles, "static")
	mux.Handle("GET /{$}", files["index.html"])
	serveFiles(mux, "/static/", files, "index.html")
	mux.HandleFunc("GET /session", p.session(p.getSession))
	mux.HandleFunc("POST /session", p.session(p.postSession))
	mux.HandleFunc("DELETE /session", p.session(p.deleteSession))
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", readyz(cfg.Ready, false))
	mux.HandleFunc("/ws", p.ws)
	return secured(mux)
}

// Admin returns the handler of the admin address: metrics, dashboard, profiles
// and the health checks.
func Admin(cfg AdminConfig) http.Handler {
	mux := http.NewServeMux()
	files := load(adminFiles, "admin")
	files["icon.svg"] = load(staticFiles, "static")["icon.svg"]
	mux.Handle("GET /dashboard", files["dashboard.html"])
	serveFiles(mux, "/dashboard/", files, "dashboard.html")
	mux.Handle("GET /metrics", promhttp.HandlerFor(cfg.Metrics, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, // a scrape walks every shard
		Timeout:             10 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", readyz(cfg.Ready, true))
	if cfg.History != nil {
		mux.Handle("GET /cluster/history", cfg.History)
	}
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("POST /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return secured(mux)
}

// ws hands an upgrade on. What is no upgrade is answered here: handed back to a
// loop it would only come here again.
func (p *public) ws(w http.ResponseWriter, r *http.Request) {
	if p.cfg.Upgrade != nil && r.ProtoMajor == 1 && strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		p.cfg.Upgrade.ServeHTTP(w, r)
		return
	}
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		writeError(w, http.StatusMethodNotAllowed, "a WebSocket starts with GET")
	case !r.ProtoAtLeast(1, 1):
		writeError(w, http.StatusBadRequest, "a WebSocket starts with HTTP/1.1")
	default:
		w.Header().Set("Upgrade", "websocket")
		w.Header().Set("Sec-WebSocket-Version", "13")
		writeError(w, http.StatusUpgradeRequired, "this address speaks WebSocket")
	}
}

// secured adds the headers that every answer carries.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY") // browsers that know no frame-ancestors
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// PublicServer returns the server for Public: no step of a request may take
// longer than it is worth. An upgraded connection leaves it (Upgrade hijacks).
func PublicServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // the largest answer has some tens of KiB
		IdleTimeout:       60 * time.Second, // protocol.md section 7
		MaxHeaderBytes:    8 << 10,
	}
}

// AdminServer returns the server for Admin. Its write time-out is the longest
// profile that can be taken.
func AdminServer(h http.Handler) *http.Server {
	s := PublicServer(h)
	s.WriteTimeout = 5 * time.Minute
	return s
}
