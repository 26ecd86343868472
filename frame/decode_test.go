package frame

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestDecode_Codes(t *testing.T) {
	for in, want := range map[string]Code{
		`{"type":"message","room":"r","text":"x"}`:                        CodeOK,
		` {"x":[{"a":[1,-2.5e+3,null,true]}],"type":"join","room":"r"} `:  CodeOK,
		`{"type":"join","room":"r","epoch":"5","after":9007199254740991}`: CodeOK,
		`{"type":"ping"}`:            CodeOK,
		`{"type":"ping","t":-1.5e3}`: CodeOK,
		`{"type":"ping","t":"1"}`:    CodeBadRequest,
		`{"type":`:                   CodeBadJSON,
		`[]`:                         CodeBadJSON,
		`{} x`:                       CodeBadJSON,
		`{"a":01}`:                   CodeBadJSON,
		`{"a":"\x"}`:                 CodeBadJSON,
		"{\"a\":\"\n\"}":             CodeBadJSON,
		`{"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99) + `}`: CodeBadJSON,
		`{}`:                                     CodeBadRequest,
		`{"type":1}`:                             CodeBadRequest,
		`{"type":"dance"}`:                       CodeUnknownType,
		`{"type":"join"}`:                        CodeBadRequest,
		`{"type":"join","room":"r","epoch":"1"}`: CodeBadRequest,
		`{"type":"join","room":"r","epoch":"1","after":-1}`:                      CodeBadRequest,
		`{"type":"join","room":"r","epoch":"1","after":9007199254740992}`:        CodeBadRequest,
		`{"type":"history","room":"r","limit":201}`:                              CodeBadRequest,
		`{"type":"history","room":"r","limit":1.0}`:                              CodeBadRequest,
		`{"type":"message","room":"r"}`:                                          CodeBadRequest,
		`{"type":"message","room":"r","id":"a b","text":"x"}`:                    CodeBadRequest,
		`{"type":"message","room":"r","text":""}`:                                CodeBadText,
		`{"type":"message","room":"r","text":"a\u0000"}`:                         CodeBadText,
		`{"type":"message","room":"r","text":"\ud800\u0041"}`:                    CodeBadText,
		`{"type":"message","room":"r","text":"` + strings.Repeat("x", 11) + `"}`: CodeTooLong,
	} {
		var m Msg
		if got := Decode(&m, []byte(in), 10); got != want {
			t.Errorf("%s: got %v, want %v", in, got, want)
		}
	}
}

// FuzzDecode compares with encoding/json: what is an object there and what its strings say.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"type":"message","room":"r","text":"\ud83d\ude00\u00fc\\\n"}`, `{"text":"\ufffd"}`, `{"a":1e5}`, `[]`, `{"text":1}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !utf8.Valid(in) {
			return // the parser has refused it
		}
		var want map[string]any
		object := json.Unmarshal(in, &want) == nil && want != nil
		deep := strings.Count(string(in), "[")+strings.Count(string(in), "{") > maxDepth
		var m Msg
		code := Decode(&m, append([]byte(nil), in...), 1<<20)
		if object != (code != CodeBadJSON) && !deep {
			t.Fatalf("%q: code %v, encoding/json says object: %v", in, code, object)
		}
		if text, ok := want["text"].(string); object && ok && code == CodeOK && m.Type == TypeMessage && string(m.Text) != text {
			t.Fatalf("%q: text %q, want %q", in, m.Text, text)
		}
	})
}
