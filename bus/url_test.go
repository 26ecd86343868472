package bus

import (
	"crypto/tls"
	"reflect"
	"strings"
	"testing"

	"github.com/redis/rueidis"
)

func TestParseURL(t *testing.T) {
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	for url, want := range map[string]rueidis.ClientOption{
		"redis://h":                 {InitAddress: []string{"h:6379"}},
		"redis://h:1/3":             {InitAddress: []string{"h:1"}, SelectDB: 3},
		"redis://[::1]:1":           {InitAddress: []string{"[::1]:1"}},
		"redis://[::1]":             {InitAddress: []string{"[::1]:6379"}},
		"redis://:p%40ss%2Fword@h":  {InitAddress: []string{"h:6379"}, Password: "p@ss/word"},
		"redis://user:p@ss@h:1/":    {InitAddress: []string{"h:1"}, Username: "user", Password: "p@ss"},
		"rediss://user:pass@h":      {InitAddress: []string{"h:6379"}, Username: "user", Password: "pass", TLSConfig: secure},
		"rediss://a,b:1,[::1]:2":    {InitAddress: []string{"a:6379", "b:1", "[::1]:2"}, TLSConfig: secure},
		"redis://user:pass@a:1,b/0": {InitAddress: []string{"a:1", "b:6379"}, Username: "user", Password: "pass"},
		"redis://a:1?sentinel=main": {InitAddress: []string{"a:1"}, Sentinel: rueidis.SentinelOption{MasterSet: "main"}},
		"rediss://user:pass@a:1,b:2/5?sentinel=main&sentinel_user=s&sentinel_password=s%27pass": {
			InitAddress: []string{"a:1", "b:2"}, Username: "user", Password: "pass", SelectDB: 5, TLSConfig: secure,
			Sentinel: rueidis.SentinelOption{MasterSet: "main", Username: "s", Password: "s'pass"},
		},
	} {
		got, err := ParseURL(url)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", url, got, err, want)
		}
	}
}

func TestParseURL_RefusesFaultsAndHidesThePassword(t *testing.T) {
	for _, url := range []string{
		"", "h:6379", "http://:hunter2@h", "redis://", "redis://:hunter2@", "redis://:hunter2@a,,b", "redis://:hunter2@h:0",
		"redis://:hunter2@h:65536", "redis://:hunter2@h:port", "redis://:hunter2@h/five", "redis://:hunter2@h/-1",
		"redis://:hunter2%zz@h", "redis://:hunter2@a,b/5", "redis://:hunter2@h?master=main", "redis://:hunter2@h?sentinel_password=%zz",
		"redis://h?sentinel_password=hunter2%zz", "redis://h#x", "redis://:hunter2/x@h", "redis://:hunter2?x@h", "redis://:hunter2#x@h",
		"redis://u:1/hunter2@h", "redis://u:1?hunter2@h", "redis://u:1#hunter2@h",
	} {
		got, err := ParseURL(url)
		if err == nil {
			t.Errorf("%s: got %+v, want an error", url, got)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// The Sentinels get their own name and password, and what keeps a call from hanging.
func TestClientOption_Sentinels(t *testing.T) {
	opt, err := ParseURL("rediss://user:pass@a/5?sentinel=main&sentinel_user=s&sentinel_password=p")
	if err != nil {
		t.Fatal(err)
	}
	got := clientOption(opt, "n").Sentinel
	if got.MasterSet != "main" || got.Username != "s" || got.Password != "p" || got.TLSConfig == nil ||
		got.Dialer.Timeout == 0 || got.Dialer.KeepAlive == 0 || got.TopologyRefreshInterval == 0 {
		t.Errorf("got %+v", got)
	}
}
