package frame

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// samples are one message of a client, in the ways that it may be written.
type samples struct{ json, proto, frame, fragments []byte }

func sample(t testing.TB, textBytes int) samples {
	t.Helper()
	text := strings.Repeat("words and ", textBytes/10+1)[:textBytes]
	json := fmt.Sprintf(`{"type":"message","room":"lobby","id":"0198c2f0-7a1b-7c00-8000-123456789abc","text":"%s"}`, text)
	return samples{
		json: []byte(json),
		proto: loadSchema(t).request(t, "message", map[protoreflect.Name]any{
			"room": "lobby", "id": "0198c2f0-7a1b-7c00-8000-123456789abc", "text": text,
		}),
		frame:     masked(ws.OpText, true, json),
		fragments: append(masked(ws.OpText, false, json[:20]), masked(ws.OpContinuation, true, json[20:])...),
	}
}

// sizes of text: a word, a chat message, the longest.
var sizes = []int{8, 128, 4096}

func BenchmarkParseHeader(b *testing.B) {
	in := sample(b, 128)
	b.ReportAllocs()
	for b.Loop() {
		_, _, _ = ParseHeader(in.frame)
	}
}

func BenchmarkParser_Next(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			in := sample(b, size)
			work := make([]byte, len(in.frame))
			var p Parser
			b.ReportAllocs()
			for b.Loop() {
				copy(work, in.frame)
				_, _, _ = p.Next(work, 32768)
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, size := range sizes {
		in := sample(b, size)
		for c, payload := range map[Codec][]byte{JSON: in.json, Proto: in.proto} {
			b.Run(fmt.Sprintf("%v/%d", c, size), func(b *testing.B) {
				work := make([]byte, len(payload))
				var m Msg
				b.ReportAllocs()
				for b.Loop() {
					copy(work, payload)
					if c.Decode(&m, work, 4096) != CodeOK {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}

func BenchmarkEncodeMessage_Stamp(b *testing.B) {
	for _, size := range sizes {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			id, text := []byte("0198c2f0-7a1b-7c00-8000-123456789abc"), []byte(strings.Repeat("x", size))
			b.ReportAllocs()
			for b.Loop() {
				m := EncodeMessage("lobby", id, "0198c2f0-7a1b-7c00-8000-123456789abd", "Velvet Pelican", text)
				m.Stamp(12345, 1_700_000_000_000)
				m.Release()
			}
		})
	}
}

func BenchmarkCodec_AppendMessage(b *testing.B) {
	m := EncodeMessage("lobby", []byte("an-id"), "0198c2f0-7a1b-7c00-8000-123456789abd", "Velvet Pelican", make128())
	m.Stamp(12345, 1_700_000_000_000)
	defer m.Release()
	for _, c := range []Codec{JSON, Proto} {
		b.Run(c.String(), func(b *testing.B) {
			out := make([]byte, 0, 4096)
			b.ReportAllocs()
			for b.Loop() {
				out = c.AppendMessage(out[:0], m)
			}
		})
	}
}

func make128() []byte { return []byte(strings.Repeat("x", 128)) }

func BenchmarkCodec_AppendAck(b *testing.B) {
	for _, c := range []Codec{JSON, Proto} {
		b.Run(c.String(), func(b *testing.B) {
			out := make([]byte, 0, 4096)
			id := []byte("0198c2f0-7a1b-7c00-8000-123456789abc")
			b.ReportAllocs()
			for b.Loop() {
				out = c.AppendAck(out[:0], "lobby", id, 12345, 1_700_000_000_000)
			}
		})
	}
}
