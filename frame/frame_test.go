package frame

import (
	"bytes"
	"encoding/json"
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
