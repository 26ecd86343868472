package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"strings"
	"testing"
	"time"
)

func parseWith(env map[string]string, args ...string) (config, error) {
	return parse(args, func(name string) (string, bool) { v, ok := env[name]; return v, ok }, io.Discard)
}

func TestParse_FlagWinsOverEnvironment(t *testing.T) {
	env := map[string]string{"NEBULA_TEXT_BYTES": "100", "NEBULA_DRAIN": "3s", "NEBULA_ORIGINS": "a.example, b.example:81"}
	c, err := parseWith(env, "-text-bytes", "200")
	if err != nil {
		t.Fatal(err)
	}
	if c.textBytes != 200 || c.drain != 3*time.Second || c.origins.String() != "a.example,b.example:81" {
		t.Fatalf("got %+v", c)
	}
	if c.maxConns < 1 || c.node == "" {
		t.Fatalf("not completed: max-conns %d, node %q", c.maxConns, c.node)
	}
}

func TestParse_Faults(t *testing.T) {
	for _, one := range []struct {
		env  map[string]string
		args string
		want string // in the error
	}{
		{nil, "-nonsense", "nonsense"},
		{nil, "extra", "extra"},
		{nil, "-drain soon", "drain"},
		{nil, "-shards 63", "power of two"},
		{nil, "-frame-bytes 100", "-frame-bytes"},
		{nil, "-send-bytes 100", "-send-bytes"},
		{nil, "-engine iocp", "-engine"},
		{nil, "-durability most", "-durability"},
		{nil, "-durability none -retain 5", "-retain"},
		{nil, "-log xml", "-log"},
		{nil, "-log-level loud", "log-level"},
		{nil, "-trusted-proxies 10.0.0.0/33", "10.0.0.0/33"},
		{nil, "-cookie-secure perhaps", "-cookie-secure"},
		{nil, "-secret 0123456789abcdef -secret-file x", "-secret"},
		{nil, "-heartbeat 1ms", "-heartbeat"},
		{nil, "-burst 0", "-burst"},
		{nil, "-queue 0", "-queue"},
		{map[string]string{"NEBULA_RATE": "fast"}, "", "NEBULA_RATE"},
	} {
		_, err := parseWith(one.env, strings.Fields(one.args)...)
		if err == nil || !strings.Contains(err.Error(), one.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s %v: got %v, want one line with %q", one.args, one.env, err, one.want)
		}
	}
}

func TestParse_HelpNamesEveryFlag(t *testing.T) {
	var help bytes.Buffer
	_, err := parse([]string{"-h"}, func(string) (string, bool) { return "", false }, &help)
	if !errors.Is(err, flag.ErrHelp) {
		t.Fatalf("got %v", err)
	}
	newFlags(&config{}).VisitAll(func(f *flag.Flag) {
		if !strings.Contains(help.String(), "-"+f.Name) {
			t.Errorf("help does not name -%s", f.Name)
		}
	})
}

func TestRun_ExitCodes(t *testing.T) {
	var out, errs bytes.Buffer
	if code := run([]string{"-shards", "3"}, &out, &errs); code != exitUsage || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("bad setting: exit %d, said %q", code, errs.String())
	}
	if code := run([]string{"-version"}, &out, &errs); code != exitOK || !strings.HasPrefix(out.String(), "nebula ") {
		t.Errorf("-version: exit %d, said %q", code, out.String())
	}
	s := startServer(t)
	errs.Reset()
	code := run([]string{"-addr", s.addr, "-admin", "", "-data", t.TempDir()}, &out, &errs)
	if code != exitFail || !strings.Contains(errs.String(), "address already in use") {
		t.Errorf("taken port: exit %d, said %q", code, errs.String())
	}
	errs.Reset()
	code = run([]string{"-addr", "127.0.0.1:0", "-admin", "", "-data", s.cfg.data}, &out, &errs)
	if code != exitFail || !strings.Contains(errs.String(), s.cfg.data) {
		t.Errorf("taken folder: exit %d, said %q", code, errs.String())
	}
}
