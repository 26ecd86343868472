package main

import (
	"errors"
	"fmt"
	"nebula/cmd/nebula/gateway"
	"nebula/web"
	"net"
	"net/http"
	"runtime"
)

// listenAdmin opens the admin address, whose port other nodes are told.
func (a *app) listenAdmin() (err error) {
	if a.cfg.admin == "" {
		return nil
	}
	if a.adminPort, err = net.Listen("tcp", a.cfg.admin); err != nil {
		return fmt.Errorf("listen on the admin address: %w", err)
	}
	return nil
}

// serve starts net/http: on what the event loops hand over, and on the admin
// address.
func (a *app) serve(sessions *web.Sessions, plain *gateway.Listener, keys [][]byte) {
	secure, _ := web.ParseCookieSecure(a.cfg.cookieSecure) // validated
	a.public = web.PublicServer(web.Public(web.PublicConfig{
		Sessions: sessions, Upgrade: a.gate.Upgrade(a.engine), Ready: a.notReady,
		Origins: a.cfg.origins, TrustedProxy: a.cfg.proxies.contains, CookieSecure: secure,
	}))
	a.goServe(a.public, plain, "public")
	if a.adminPort == nil {
		return
	}
	version, commit := buildVersion()
	registry := web.Registry(a.snapshot(sessions), web.BuildInfo{Version: version, Commit: commit, GoVersion: runtime.Version()})
	admin := web.AdminConfig{Metrics: registry, Ready: a.notReady}
	if a.bus != nil {
		admin.History = a.historyHandler(keys)
	}
	a.admin = web.AdminServer(web.Admin(admin))
	a.goServe(a.admin, a.adminPort, "admin")
}

// goServe runs s until it is closed; if it ends by itself, the process does too.
func (a *app) goServe(s *http.Server, l net.Listener, what string) {
	a.tasks.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("%s server: %w", what, err)
		}
	})
}

// notReady names what keeps this node from taking traffic, and why.
func (a *app) notReady() map[string]string {
	why := make(map[string]string)
	if a.draining.Load() {
		why["draining"] = "this node is stopping"
	}
	if a.store != nil {
		if err := a.store.Health(); err != nil {
			why["database"] = err.Error()
		}
	}
	if a.bus != nil {
		if err := a.bus.Ready(); err != nil {
			why["bus"] = err.Error()
		} else if !a.whole.Load() {
			why["history"] = "this node has none, and asks the others for theirs"
		}
	}
	return why
}
