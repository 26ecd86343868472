package wire

import (
	"bytes"
	"errors"
	"testing"
)

func TestHandshake_BothSides(t *testing.T) {
	request := AppendUpgrade(nil, "127.0.0.1:8080", 77)
	key, size, err := ReadRequest(request)
	if err != nil || size != len(request) || len(key) != 24 {
		t.Fatalf("ReadRequest: got key %q, size %d of %d, error %v", key, size, len(request), err)
	}
	answer := AppendSwitch(nil, key)
	for n := range len(answer) {
		if _, size, err := ReadAnswer(answer[:n], 77); size != 0 || err != nil {
			t.Fatalf("%d bytes of the answer: got size %d, error %v", n, size, err)
		}
	}
	status, size, err := ReadAnswer(append(answer, "\x81\x02{}"...), 77)
	if status != 101 || size != len(answer) || err != nil {
		t.Errorf("got %d, size %d of %d, error %v", status, size, len(answer), err)
	}
	if _, _, err := ReadAnswer(answer, 78); !errors.Is(err, ErrHandshake) {
		t.Errorf("the answer to another key: got %v, want ErrHandshake", err)
	}
}

// The example of RFC 6455 section 1.3.
func TestHandshake_Accept(t *testing.T) {
	if got := appendAccept(nil, []byte("dGhlIHNhbXBsZSBub25jZQ==")); string(got) != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("got %s", got)
	}
}

func TestReadAnswer_Refusals(t *testing.T) {
	status, size, err := ReadAnswer([]byte("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\n\r\n"), 1)
	if status != 503 || size == 0 || err != nil {
		t.Errorf("503: got %d, %d, %v", status, size, err)
	}
	good := AppendSwitch(nil, appendKey(nil, 1))
	for name, raw := range map[string][]byte{
		"not HTTP":        []byte("hello\r\n\r\n"),
		"HTTP/1.0":        bytes.Replace(good, []byte("/1.1"), []byte("/1.0"), 1),
		"no sub-protocol": bytes.Replace(good, []byte(Subprotocol), []byte("other"), 1),
		"no upgrade":      bytes.Replace(good, []byte("websocket"), []byte("h2c"), 1),
		"no end":          bytes.Repeat([]byte("x"), maxHead+1),
	} {
		if _, _, err := ReadAnswer(raw, 1); !errors.Is(err, ErrHandshake) {
			t.Errorf("%s: got %v, want ErrHandshake", name, err)
		}
	}
}
