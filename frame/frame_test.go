package frame

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if n := Live(); code == 0 && n != 0 {
		fmt.Fprintf(os.Stderr, "%d Bufs left over\n", n)
		code = 1
	}
	os.Exit(code)
}

// decodeOne decodes the one text frame that b is.
func decodeOne(t *testing.T, b []byte) map[string]any {
	t.Helper()
	f, err := ws.ReadFrame(bytes.NewReader(b)) //nolint:staticcheck // the bytes are our own, in memory
	if err != nil || !f.Header.Fin || f.Header.Masked || f.Header.OpCode != ws.OpText {
		t.Fatalf("frame %+v, %v", f.Header, err)
	}
	if EndOfFrame(b, 1) != len(b) {
		t.Fatalf("EndOfFrame = %d, want %d", EndOfFrame(b, 1), len(b))
	}
	var out map[string]any
	if err := json.Unmarshal(f.Payload, &out); err != nil {
		t.Fatalf("%v in %q", err, f.Payload)
	}
	return out
}

func TestEncodeMessage_RoundTrip(t *testing.T) {
	for _, size := range []int{1, 10, 100, 4096, 70_000} {
		text := strings.Repeat("ü\"\\\n\x01<", size)
		b := EncodeMessage("röom", []byte("an-id"), "user", `na"me`, []byte(text))
		b.Stamp(1<<53-1, 1_700_000_000_123)
		got := decodeOne(t, b.Bytes())
		want := map[string]any{
			"type": "message", "room": "röom", "seq": float64(1<<53 - 1), "id": "an-id", "user": "user",
			"name": `na"me`, "text": text, "time": float64(1_700_000_000_123),
		}
		for key, value := range want {
			if got[key] != value {
				t.Errorf("%s = %v, want %v", key, got[key], value)
			}
		}
		if len(got) != len(want) || string(b.ID()) != "an-id" || string(b.Text()) != text || b.Seq() != 1<<53-1 {
			t.Errorf("raw fields differ, or %d fields instead of %d", len(got), len(want))
		}
		b.Release()
	}
}

func TestAppend_EveryMessageIsOneFrameOfJSON(t *testing.T) {
	m := EncodeMessage("r", []byte("i"), "u", "n", []byte("t"))
	defer m.Release()
	m.Stamp(7, 1_700_000_000_000)
	people := []User{{ID: "u", Name: "Ann \"A\""}}
	many := make([]User, 2000)
	for kind, b := range map[string][]byte{
		"welcome":  AppendWelcome(nil, Welcome{User: "u", Name: "\x00\u2028", Rate: 0.5}),
		"joined":   AppendJoined(nil, Joined{Room: "r", Epoch: 5, Seq: 7, Users: people, Count: 1, Messages: []*Buf{m, m}}),
		"left":     AppendLeft(nil, "r"),
		"ack":      AppendAck(nil, "r", []byte("i"), 7, 8),
		"presence": AppendPresence(nil, "r", 1, people, nil),
		"users":    AppendUsers(nil, "r", 0, 2000, many),
		"history":  AppendHistory(nil, "r", []*Buf{m}, true),
		"typing":   AppendTyping(nil, "r", "u", "n"),
		"pong":     AppendPongT(nil, []byte("1.50")),
		"error":    AppendError(nil, CodeBusy, "r", []byte("i"), 250, ""),
		"goodbye":  AppendGoodbye(nil, "restart", 1500),
	} {
		if got := decodeOne(t, b); got["type"] != kind {
			t.Errorf("%s says that it is %v", kind, got["type"])
		}
	}
	if got := decodeOne(t, AppendJoined(nil, Joined{Room: "r"})); fmt.Sprintf("%v %v %v", got["users"], got["messages"], got["epoch"]) != "[] [] 0" {
		t.Errorf("empty lists are left out: %v", got)
	}
}

func masked(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

func TestParser_Rules(t *testing.T) {
	unmasked := ws.MustCompileFrame(ws.NewTextFrame([]byte("x")))
	reserved := masked(ws.OpText, true, "x")
	reserved[0] |= 0x40
	big := []byte{0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 1, 2, 3, 4}
	for name, one := range map[string]struct {
		in   [][]byte
		code ws.StatusCode
		text string
	}{
		"Text":             {[][]byte{masked(ws.OpText, true, "hi")}, 0, "hi"},
		"Fragments":        {[][]byte{masked(ws.OpText, false, "a\xc3"), masked(ws.OpPing, true, "p"), masked(ws.OpContinuation, true, "\xbcb")}, 0, "aüb"},
		"Unmasked":         {[][]byte{unmasked}, ws.StatusProtocolError, ""},
		"ReservedBit":      {[][]byte{reserved}, ws.StatusProtocolError, ""},
		"ReservedOpcode":   {[][]byte{masked(0x3, true, "x")}, ws.StatusProtocolError, ""},
		"FragmentedPing":   {[][]byte{masked(ws.OpPing, false, "x")}, ws.StatusProtocolError, ""},
		"LongPing":         {[][]byte{masked(ws.OpPing, true, strings.Repeat("x", 126))}, ws.StatusProtocolError, ""},
		"LoneContinuation": {[][]byte{masked(ws.OpContinuation, true, "x")}, ws.StatusProtocolError, ""},
		"TextInText":       {[][]byte{masked(ws.OpText, false, "x"), masked(ws.OpText, true, "y")}, ws.StatusProtocolError, ""},
		"BadUTF8":          {[][]byte{masked(ws.OpText, true, "\xff")}, ws.StatusInvalidFramePayloadData, ""},
		"TooBig":           {[][]byte{big}, ws.StatusMessageTooBig, ""},
		"TooBigInSum":      {[][]byte{masked(ws.OpText, false, strings.Repeat("x", 600)), masked(ws.OpContinuation, true, strings.Repeat("x", 600))}, ws.StatusMessageTooBig, ""},
		"CloseOneByte":     {[][]byte{masked(ws.OpClose, true, "x")}, ws.StatusProtocolError, ""},
	} {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, split), func(t *testing.T) {
				text, err := parseAll(bytes.Join(one.in, nil), split)
				var closing *CloseError
				if errors.As(err, &closing) != (one.code != 0) || closing != nil && closing.Code != one.code {
					t.Fatalf("got %v, want close %d", err, one.code)
				}
				if text != one.text {
					t.Fatalf("got %q, want %q", text, one.text)
				}
			})
		}
	}
}

// parseAll feeds in to a Parser, whole or growing byte by byte, and returns the texts.
func parseAll(in []byte, split bool) (text string, err error) {
	var p Parser
	defer p.Reset()
	var have []byte
	for len(in) > 0 {
		take := len(in)
		if split {
			take = 1
		}
		have, in = append(have, in[:take]...), in[take:]
		for len(have) > 0 {
			ev, n, err := p.Next(have, 1000)
			if err != nil {
				return text, err
			}
			if n == 0 {
				break
			}
			if ev.Kind == Text {
				text += string(ev.Payload)
			}
			have = have[n:]
		}
	}
	return text, nil
}
