package frame

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/gobwas/ws"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// schema is nebula.proto, compiled, and messages of it that Google's library reads and writes.
type schema struct{ file protoreflect.FileDescriptor }

func loadSchema(t testing.TB) schema {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), "nebula.proto")
	if err != nil {
		t.Fatal(err)
	}
	return schema{files[0]}
}

func (s schema) new(name protoreflect.Name) *dynamicpb.Message {
	return dynamicpb.NewMessage(s.file.Messages().ByName(name))
}

// said returns what the one binary frame that b is says, as the names and values that JSON would have.
func (s schema) said(t testing.TB, b []byte) map[string]any {
	t.Helper()
	f, err := ws.ReadFrame(bytes.NewReader(b)) //nolint:staticcheck // the bytes are our own, in memory
	if err != nil || !f.Header.Fin || f.Header.Masked || f.Header.OpCode != ws.OpBinary || EndOfFrame(b, 1) != len(b) {
		t.Fatalf("frame %+v, %v", f.Header, err)
	}
	m := s.new("ServerMessage")
	if err := proto.Unmarshal(f.Payload, m); err != nil || len(m.GetUnknown()) > 0 {
		t.Fatalf("%v in %q", err, f.Payload)
	}
	field := m.WhichOneof(m.Descriptor().Oneofs().ByName("type"))
	out := values(t, m.Get(field).Message())
	out["type"] = string(field.Name())
	return out
}

// values are the fields of m as encoding/json would read them, empty ones too.
func values(t testing.TB, m protoreflect.Message) map[string]any {
	t.Helper()
	if len(m.GetUnknown()) > 0 {
		t.Errorf("%s has unknown fields", m.Descriptor().FullName())
	}
	out := make(map[string]any)
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		name, v := string(f.Name()), m.Get(f)
		switch {
		case f.HasPresence() && !m.Has(f):
		case f.IsList():
			list := []any{}
			for i := range v.List().Len() {
				entry := values(t, v.List().Get(i).Message())
				if f.Message().Name() == "Message" {
					entry["type"] = "message"
				}
				list = append(list, entry)
			}
			out[name] = list
		case f.Kind() == protoreflect.MessageKind:
			out[name] = values(t, v.Message())
		case f.Kind() == protoreflect.Uint64Kind:
			out[name] = float64(v.Uint())
		default:
			out[name] = v.Interface()
		}
	}
	return out
}

// TestCodec_SaysTheSame has both codecs say everything and compares the fields: those that JSON leaves
// out when they are empty are empty in the other.
func TestCodec_SaysTheSame(t *testing.T) {
	s := loadSchema(t)
	long := strings.Repeat("ü\"\\\n\x01\x00<\u2028😀", 3000)
	var messages []*Buf
	for i, text := range []string{"t", "é\t\"quoted\"", long} {
		m := EncodeMessage("röom", fmt.Appendf(nil, "id-%d", i), "us\\er", "na\"me\x01 \u00fc", []byte(text))
		m.Stamp(uint64(i)<<40, int64(i)*1_700_000_000_000)
		defer m.Release()
		messages = append(messages, m)
	}
	people := []User{{ID: "u", Name: "Ann \"A\""}, {ID: strings.Repeat("v", 200), Name: "\xff"}, {}}
	many := make([]User, 2000)
	for name, say := range map[string]func(Codec) []byte{
		"Message":     func(c Codec) []byte { return c.AppendMessage(nil, messages[1]) },
		"LongMessage": func(c Codec) []byte { return c.AppendMessage(nil, messages[2]) },
		"Welcome": func(c Codec) []byte {
			return c.AppendWelcome(nil, Welcome{User: "u", Name: long, Rate: 0.5, Rooms: 300})
		},
		"Joined": func(c Codec) []byte {
			return c.AppendJoined(nil, Joined{"r", math.MaxInt64, 7, people, 3, messages, true})
		},
		"JoinedEmpty":   func(c Codec) []byte { return c.AppendJoined(nil, Joined{Room: "r"}) },
		"Left":          func(c Codec) []byte { return c.AppendLeft(nil, "r") },
		"Ack":           func(c Codec) []byte { return c.AppendAck(nil, "r", []byte("i"), MaxSeq, 8) },
		"Presence":      func(c Codec) []byte { return c.AppendPresence(nil, "r", 3, people, people[:1]) },
		"PresenceEmpty": func(c Codec) []byte { return c.AppendPresence(nil, "r", 0, nil, nil) },
		"Users":         func(c Codec) []byte { return c.AppendUsers(nil, "r", 5, 2000, many) },
		"History":       func(c Codec) []byte { return c.AppendHistory(nil, "r", messages, true) },
		"HistoryEmpty":  func(c Codec) []byte { return c.AppendHistory(nil, "r", nil, false) },
		"Typing":        func(c Codec) []byte { return c.AppendTyping(nil, "r", "u", "n") },
		"PongBare":      func(c Codec) []byte { return c.AppendPongT(nil, nil) },
		"Error":         func(c Codec) []byte { return c.AppendError(nil, CodeBusy, "r", []byte("i"), 250, "") },
		"ErrorBare":     func(c Codec) []byte { return c.AppendError(nil, CodeBadJSON, "", nil, 0, "oh") },
		"Goodbye":       func(c Codec) []byte { return c.AppendGoodbye(nil, "restart", 1500) },
	} {
		t.Run(name, func(t *testing.T) {
			want, got := decodeOne(t, say(JSON)), s.said(t, say(Proto))
			for key, value := range got {
				if _, ok := want[key]; !ok && isEmpty(value) {
					delete(got, key)
				}
			}
			if a, b := asJSON(t, got), asJSON(t, want); a != b {
				t.Errorf("protobuf says %.300s\nJSON says %.300s", a, b)
			}
		})
	}
}

func isEmpty(v any) bool {
	s := fmt.Sprint(v)
	return s == "" || s == "0" || s == "[]"
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v) // sorts the names
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// request is a ClientMessage with one field of its oneof, built by Google's library.
func (s schema) request(t testing.TB, kind protoreflect.Name, fields map[protoreflect.Name]any) []byte {
	t.Helper()
	m := s.new("ClientMessage")
	inner := m.Mutable(m.Descriptor().Fields().ByName(kind)).Message()
	for name, value := range fields {
		inner.Set(inner.Descriptor().Fields().ByName(name), protoreflect.ValueOf(value))
	}
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCodec_DecodeProto(t *testing.T) {
	s := loadSchema(t)
	type fields = map[protoreflect.Name]any
	for _, one := range []struct {
		kind   protoreflect.Name
		fields fields
		code   Code
		want   string // Room, ID, Text, T, Epoch, After, Before, Limit, Offset
	}{
		{"join", fields{"room": "r"}, CodeOK, `"r" "" "" "" "" 0 0 0 0`},
		{"join", fields{"room": "r", "epoch": "5", "after": uint64(MaxSeq)}, CodeOK, `"r" "" "" "" "5" 9007199254740991 0 0 0`},
		{"join", fields{"room": "r", "epoch": "5", "after": uint64(0)}, CodeOK, `"r" "" "" "" "5" 0 0 0 0`},
		{"join", fields{"room": "r", "after": uint64(5)}, CodeBadRequest, ``},
		{"join", fields{"room": "r", "epoch": "5", "after": uint64(MaxSeq + 1)}, CodeBadRequest, ``},
		{"leave", fields{"room": "r"}, CodeOK, `"r" "" "" "" "" 0 0 0 0`},
		{"message", fields{"room": "r", "text": "x", "id": "i"}, CodeOK, `"r" "i" "x" "" "" 0 0 0 0`},
		{"message", fields{"room": "r", "text": "x", "id": ""}, CodeBadRequest, ``},
		{"message", fields{"room": "r", "text": "x", "id": "a b"}, CodeBadRequest, ``},
		{"message", fields{"room": "r"}, CodeBadText, ``},
		{"message", fields{"room": "r", "text": "a\x00"}, CodeBadText, ``},
		{"message", fields{"room": "r", "text": strings.Repeat("x", 11)}, CodeTooLong, ``},
		{"history", fields{"room": "r"}, CodeOK, `"r" "" "" "" "" 0 0 50 0`},
		{"history", fields{"room": "r", "before": uint64(7), "limit": uint64(200)}, CodeOK, `"r" "" "" "" "" 0 7 200 0`},
		{"history", fields{"room": "r", "limit": uint64(0)}, CodeBadRequest, ``},
		{"history", fields{"room": "r", "limit": uint64(1<<63 + 1)}, CodeBadRequest, ``},
		{"presence", fields{"room": "r", "offset": uint64(7), "limit": uint64(1000)}, CodeOK, `"r" "" "" "" "" 0 0 1000 7`},
		{"typing", fields{"room": "r"}, CodeOK, `"r" "" "" "" "" 0 0 0 0`},
		{"ping", nil, CodeOK, `"" "" "" "" "" 0 0 0 0`},
		{"ping", fields{"t": 1.5}, CodeOK, `"" "" "" "\x00\x00\x00\x00\x00\x00\xf8?" "" 0 0 0 0`},
	} {
		var m Msg
		code := Proto.Decode(&m, s.request(t, one.kind, one.fields), 10)
		got := fmt.Sprintf("%q %q %q %q %q %d %d %d %d", m.Room, m.ID, m.Text, m.T, m.Epoch, m.After, m.Before, m.Limit, m.Offset)
		if code != one.code || code == CodeOK && (got != one.want || m.Type != typeOf([]byte(one.kind))) {
			t.Errorf("%s %v: got %v and %s, want %v and %s", one.kind, one.fields, code, got, one.code, one.want)
		}
		if one.kind == "ping" {
			pong := s.said(t, Proto.AppendPongT(nil, m.T))
			if t1, ok := pong["t"]; ok != (one.fields != nil) || ok && t1 != one.fields["t"] {
				t.Errorf("%v is answered with %v", one.fields, pong)
			}
		}
	}
	for in, want := range map[string]Code{
		"":                          CodeBadRequest,
		"\xa2\x06\x00":              CodeUnknownType, // field 100
		"\x0a":                      CodeBadJSON,
		"\x0a\x05\x0a":              CodeBadJSON,
		"\x0a\x03\x0a\x01\xff":      CodeBadJSON, // not UTF-8
		"\x00":                      CodeBadJSON, // field 0
		"\x0b\x14":                  CodeBadJSON, // the end of another group
		"\x0a\x03\x0a\x01r\x3a\x00": CodeOK,      // a join, then a ping: the last counts
	} {
		var m Msg
		if got := Proto.Decode(&m, []byte(in), 10); got != want {
			t.Errorf("%q: got %v, want %v", in, got, want)
		}
	}
}

// FuzzDecodeProto compares with Google's library: what is a ClientMessage, and what it says.
func FuzzDecodeProto(f *testing.F) {
	s := loadSchema(f)
	type fields = map[protoreflect.Name]any
	f.Add(s.request(f, "join", fields{"room": "r", "epoch": "5", "after": uint64(9)}))
	f.Add(s.request(f, "message", fields{"room": "r", "text": "hello", "id": "i"}))
	f.Add(s.request(f, "history", fields{"room": "r", "before": uint64(9), "limit": uint64(9)}))
	f.Add(s.request(f, "presence", fields{"room": "r", "offset": uint64(9), "limit": uint64(9)}))
	f.Add(append(s.request(f, "ping", fields{"t": 1.5}), s.request(f, "typing", fields{"room": "r"})...))
	f.Add([]byte("\x83\x01\x08\x05\x84\x01\x95\x01abcd\x0a\x00"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var m Msg
		code := Proto.Decode(&m, in, 1<<20)
		want := s.new("ClientMessage")
		err := proto.Unmarshal(in, want)
		if bytes.Count(in, []byte{0x0b})+bytes.Count(in, []byte{0x03}) < maxDepth && (err != nil) != (code == CodeBadJSON) {
			t.Fatalf("%q: code %v, protobuf says %v", in, code, err)
		}
		if err != nil || code != CodeOK {
			return
		}
		field := want.WhichOneof(want.Descriptor().Oneofs().ByName("type"))
		got := s.new("ClientMessage")
		refill(got.Mutable(got.Descriptor().Fields().ByNumber(protoreflect.FieldNumber(m.Type))).Message(), &m)
		want.SetUnknown(nil)
		dropDefaults(want.Mutable(field).Message())
		if !proto.Equal(got, want) {
			t.Fatalf("%q: got %v, want %v", in, got, want)
		}
	})
}

// refill sets in to what m says.
func refill(in protoreflect.Message, m *Msg) {
	set := func(name protoreflect.Name, has bool, v any) {
		if f := in.Descriptor().Fields().ByName(name); f != nil && has {
			in.Set(f, protoreflect.ValueOf(v))
		}
	}
	set("room", len(m.Room) > 0, string(m.Room))
	set("text", len(m.Text) > 0, string(m.Text))
	set("id", m.HasID, string(m.ID))
	set("epoch", m.HasEpoch, string(m.Epoch))
	set("after", m.hasAfter, m.After)
	set("before", m.Before > 0, m.Before)
	set("offset", m.Offset > 0, uint64(m.Offset))
	set("limit", m.hasLimit, uint64(m.Limit))
	if len(m.T) == 8 {
		var bits uint64
		for i, c := range m.T {
			bits |= uint64(c) << (8 * i)
		}
		set("t", true, math.Float64frombits(bits))
	}
}

// dropDefaults takes out of want what a Msg cannot tell from absent, and what was not known.
func dropDefaults(want protoreflect.Message) {
	want.SetUnknown(nil)
	for _, name := range []protoreflect.Name{"before", "offset"} {
		if f := want.Descriptor().Fields().ByName(name); f != nil && want.Get(f).Uint() == 0 {
			want.Clear(f)
		}
	}
}
