package frame

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
)

const goodHead = "GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

func TestScan_Verdicts(t *testing.T) {
	for in, want := range map[string]Verdict{
		"":                                      More,
		"GET /ws HT":                            More,
		"GET / HTTP/1.1\r\n":                    Plain,
		"\r\n":                                  Plain,
		"\x16\x03\x01\n":                        Plain,
		"POST /wsx HTTP/1.1\r\n":                Plain,
		"GET /ws HTTP/1.1\r\nHost: a\r\n\r\n":   Plain,
		goodHead + "\r\n":                       Socket,
		goodHead + "\n":                         Socket,
		goodHead + "\r":                         More,
		"POST /ws?a=b HTTP/1.1\nUpgrade: x\n\n": Socket,
		strings.Repeat("G", MaxHead+1):          Overlong,
		goodHead + strings.Repeat("X-Filler: 12345678\r\n", MaxHead/20) + "\r\n": Overlong,
	} {
		got, n := Scan([]byte(in))
		if got != want || got == Socket && n != len(in) {
			t.Errorf("%.60q: got %v and %d of %d bytes, want %v", in, got, n, len(in), want)
		}
	}
}

func TestScan_EveryCutOfAHeadWantsMore(t *testing.T) {
	head := goodHead + "\r\n"
	for cut := range len(head) {
		if v, _ := Scan([]byte(head[:cut])); v != More {
			t.Fatalf("after %d bytes: %v, want More", cut, v)
		}
	}
	if v, n := Scan([]byte(head + "frames")); v != Socket || n != len(head) {
		t.Fatalf("with frames behind: %v and %d, want Socket and %d", v, n, len(head))
	}
}

func allow(*Request) (string, *Refusal) { return "", nil }

func TestUpgrade_AcceptKeyOfTheRFC(t *testing.T) {
	out, ok := Upgrade([]byte("before "), []byte(goodHead+"Sec-WebSocket-Protocol: other, nebula.v1.json\r\n\r\n"),
		func(*Request) (string, *Refusal) { return "a=b; Path=/", nil })
	answer := string(out)
	if !ok || !strings.HasPrefix(answer, "before HTTP/1.1 101 ") || !strings.HasSuffix(answer, "\r\n\r\n") {
		t.Fatalf("got %v %q", ok, answer)
	}
	for _, want := range []string{
		"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n", // RFC 6455 section 1.3
		"Sec-WebSocket-Protocol: nebula.v1.json\r\n", "Set-Cookie: a=b; Path=/\r\n",
	} {
		if !strings.Contains(answer, want) {
			t.Errorf("no %q in %q", want, answer)
		}
	}
}

func TestUpgrade_UnknownSubprotocolIsNotEchoed(t *testing.T) {
	out, ok := Upgrade(nil, []byte(goodHead+"Sec-WebSocket-Protocol: chat\r\n\r\n"), allow)
	if !ok || bytes.Contains(out, []byte("Sec-WebSocket-Protocol")) || bytes.Contains(out, []byte("Cookie")) {
		t.Fatalf("got %v %q", ok, out)
	}
}

// TestUpgrade_ChoosesTheFirstCodecSpoken offers both, in the client's order of preference.
func TestUpgrade_ChoosesTheFirstCodecSpoken(t *testing.T) {
	for _, one := range []struct {
		offered string
		speaks  []Codec
		want    Codec
	}{
		{"nebula.v1.proto, nebula.v1.json", []Codec{Proto}, Proto},
		{"chat, nebula.v1.json, nebula.v1.proto", []Codec{Proto}, JSON},
		{"nebula.v1.proto, nebula.v1.json", nil, JSON},
	} {
		chosen := Codecs
		out, ok := Upgrade(nil, []byte(goodHead+"Sec-WebSocket-Protocol: "+one.offered+"\r\n\r\n"), func(r *Request) (string, *Refusal) {
			chosen = int(r.Codec)
			return "", nil
		}, one.speaks...)
		if !ok || chosen != int(one.want) || !bytes.Contains(out, []byte("Sec-WebSocket-Protocol: "+one.want.String()+"\r\n")) {
			t.Errorf("%s, %v: chose %d and answered %q, want %v", one.offered, one.speaks, chosen, out, one.want)
		}
	}
}

func TestUpgrade_TellsWhoAsks(t *testing.T) {
	long := strings.Repeat("c", 5000)
	_, ok := Upgrade(nil, []byte(goodHead+"origin: https://b.example\r\nCookie: a=1\r\ncookie: b="+long+"\r\n"+
		"X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\nX-Forwarded-Proto: https\r\n\r\n"),
		func(r *Request) (string, *Refusal) {
			want := Request{
				Host: "a.example", Origin: "https://b.example", HasOrigin: true, Origins: 1,
				Cookie: "a=1; b=" + long, ForwardedFor: "1.1.1.1,2.2.2.2", ForwardedProto: "https",
			}
			if *r != want {
				t.Errorf("got %+v, want %+v", *r, want)
			}
			return "", nil
		})
	if !ok {
		t.Error("refused")
	}
}

func TestUpgrade_Refusals(t *testing.T) {
	without := func(field string) string {
		var out strings.Builder
		for line := range strings.Lines(goodHead) {
			if !strings.HasPrefix(line, field) {
				out.WriteString(line)
			}
		}
		return out.String()
	}
	swap := func(old, with string) string { return strings.Replace(goodHead, old, with, 1) }
	for _, one := range []struct {
		name, head string
		status     int
	}{
		{"Post", swap("GET", "POST"), http.StatusMethodNotAllowed},
		{"HTTP10", swap("HTTP/1.1", "HTTP/1.0"), http.StatusBadRequest},
		{"HTTP2", swap("HTTP/1.1", "HTTP/2.0"), http.StatusBadRequest},
		{"NoVersionOfHTTP", swap(" HTTP/1.1", ""), http.StatusBadRequest},
		{"NoHost", without("Host"), http.StatusBadRequest},
		{"TwoHosts", goodHead + "Host: b\r\n", http.StatusBadRequest},
		{"OtherUpgrade", swap("websocket", "h2c"), http.StatusBadRequest},
		{"NoConnection", without("Connection"), http.StatusBadRequest},
		{"ConnectionClose", swap("keep-alive, Upgrade", "close"), http.StatusBadRequest},
		{"NoVersion", without("Sec-WebSocket-Version"), http.StatusUpgradeRequired},
		{"Version8", swap("Version: 13", "Version: 8"), http.StatusUpgradeRequired},
		{"NoKey", without("Sec-WebSocket-Key"), http.StatusBadRequest},
		{"ShortKey", swap("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), http.StatusBadRequest},
		{"KeyNotBase64", swap("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="), http.StatusBadRequest},
		{"TwoKeys", goodHead + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", http.StatusBadRequest},
		{"Body", goodHead + "Content-Length: 5\r\n", http.StatusBadRequest},
		{"Chunked", goodHead + "Transfer-Encoding: chunked\r\n", http.StatusBadRequest},
		{"NoColon", goodHead + "what is this\r\n", http.StatusBadRequest},
	} {
		t.Run(one.name, func(t *testing.T) {
			out, ok := Upgrade(nil, []byte(one.head+"\r\n"), func(*Request) (string, *Refusal) {
				t.Error("a malformed request was put to the judge")
				return "", nil
			})
			checkRefusal(t, out, ok, one.status)
		})
	}
	out, ok := Upgrade(nil, []byte(goodHead+"\r\n"), func(*Request) (string, *Refusal) {
		return "", &Refusal{Status: http.StatusServiceUnavailable, RetryAfter: 2, Text: "restarting"}
	})
	if answer := checkRefusal(t, out, ok, http.StatusServiceUnavailable); answer != nil && answer.Header.Get("Retry-After") != "2" {
		t.Errorf("Retry-After %q, want 2", answer.Header.Get("Retry-After"))
	}
}

func checkRefusal(t *testing.T, out []byte, ok bool, status int) *http.Response {
	t.Helper()
	answer := readAnswer(t, out)
	if ok || answer == nil || answer.StatusCode != status {
		t.Fatalf("got %v %q, want %d", ok, out, status)
	}
	if status == http.StatusUpgradeRequired && answer.Header.Get("Sec-WebSocket-Version") != "13" {
		t.Errorf("426 names no version: %q", out)
	}
	return answer
}

// FuzzUpgrade looks for a head that panics, that is answered with what is no HTTP, or that is upgraded
// without having been asked about.
func FuzzUpgrade(f *testing.F) {
	f.Add([]byte(goodHead + "\r\n"))
	f.Add([]byte(goodHead + "Sec-WebSocket-Protocol: ,\r\nOrigin: null\r\nCookie: x\r\n\r\nframes"))
	f.Add([]byte("POST /ws HTTP/1.0\nUpgrade:\n\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		v, n := Scan(in)
		if v != Socket {
			return
		}
		asked := false
		out, ok := Upgrade(nil, in[:n], func(r *Request) (string, *Refusal) {
			asked = true
			return "", nil
		})
		answer := readAnswer(t, out)
		if answer == nil || ok != asked || ok != (answer.StatusCode == http.StatusSwitchingProtocols) {
			t.Fatalf("%q: upgraded %v, asked %v, answer %q", in, ok, asked, out)
		}
	})
}

// readAnswer reads out as one whole HTTP answer.
func readAnswer(t *testing.T, out []byte) *http.Response {
	t.Helper()
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
	if err != nil {
		t.Errorf("%v in %q", err, out)
		return nil
	}
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		t.Errorf("%v in the body of %q", err, out)
	}
	return answer
}
