package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	s := startServer(t)
	check := func() (int, string) {
		var out bytes.Buffer
		code := run([]string{"-health", "-addr", s.addr}, &out, &out)
		return code, out.String()
	}
	if code, out := check(); code != exitOK || out != "" {
		t.Errorf("ready: exit %d, %q", code, out)
	}
	s.draining.Store(true)
	if code, out := check(); code != exitFail || !strings.Contains(out, "draining") {
		t.Errorf("draining: exit %d, %q, want 1 and the reason", code, out)
	}
	s.draining.Store(false)
	s.stop()
	if code, out := check(); code != exitFail || out == "" {
		t.Errorf("stopped: exit %d, %q, want 1 and the reason", code, out)
	}
}
