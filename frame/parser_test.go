package frame

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gobwas/ws"
)

// maxTest is the longest message in these tests, bytes.
const maxTest = 1000

func masked(op ws.OpCode, fin bool, payload string) []byte {
	return ws.MustCompileFrame(ws.MaskFrame(ws.NewFrame(op, fin, []byte(payload))))
}

// header is a masked frame as an attacker may write it: two bytes, and all that follows.
func header(first, second byte, rest ...byte) []byte { return append([]byte{first, second}, rest...) }

func closing(code ws.StatusCode, reason string) []byte {
	return masked(ws.OpClose, true, string([]byte{byte(code >> 8), byte(code)})+reason)
}

// TestParser_Violations breaks every rule of RFC 6455 that a client can break.
func TestParser_Violations(t *testing.T) {
	const text, cont, ping = ws.OpText, ws.OpContinuation, ws.OpPing
	long := strings.Repeat("x", 600)
	type row struct {
		rule string // section of RFC 6455
		in   [][]byte
		code ws.StatusCode
	}
	rows := map[string]row{
		"Unmasked":               {"5.1", [][]byte{ws.MustCompileFrame(ws.NewTextFrame([]byte("x")))}, 1002},
		"UnmaskedPing":           {"5.1", [][]byte{ws.MustCompileFrame(ws.NewPingFrame(nil))}, 1002},
		"Length16NotShortest":    {"5.2", [][]byte{header(0x81, 0xfe, 0, 125)}, 1002},
		"Length64NotShortest":    {"5.2", [][]byte{header(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff)}, 1002},
		"Length64Negative":       {"5.2", [][]byte{header(0x81, 0xff, 0x80)}, 1002},
		"ContinuationOfNothing":  {"5.4", [][]byte{masked(cont, true, "x")}, 1002},
		"ContinuationAfterEnd":   {"5.4", [][]byte{masked(text, false, "x"), masked(cont, true, "x"), masked(cont, true, "x")}, 1002},
		"TextInsideText":         {"5.4", [][]byte{masked(text, false, "x"), masked(text, true, "y")}, 1002},
		"BinaryInsideText":       {"5.4", [][]byte{masked(text, false, "x"), masked(ws.OpBinary, false, "y")}, 1002},
		"FragmentedPing":         {"5.5", [][]byte{masked(ping, false, "x")}, 1002},
		"FragmentedClose":        {"5.5", [][]byte{masked(ws.OpClose, false, "")}, 1002},
		"LongPing":               {"5.5", [][]byte{masked(ping, true, strings.Repeat("x", 126))}, 1002},
		"LongPong":               {"5.5", [][]byte{header(0x8a, 0xff)}, 1002},
		"LongCloseInsideText":    {"5.5", [][]byte{masked(text, false, "x"), masked(ws.OpClose, true, strings.Repeat("x", 126))}, 1002},
		"HalfACloseCode":         {"5.5.1", [][]byte{masked(ws.OpClose, true, "x")}, 1002},
		"CloseReasonNotUTF8":     {"5.5.1", [][]byte{closing(1000, "\xff")}, 1007},
		"CloseReasonCutInRune":   {"5.5.1", [][]byte{closing(1000, "\xc3")}, 1007},
		"TextNotUTF8":            {"8.1", [][]byte{masked(text, true, "\xff")}, 1007},
		"TextCutInRune":          {"8.1", [][]byte{masked(text, true, "x\xe2\x82")}, 1007},
		"TextOverlong":           {"8.1", [][]byte{masked(text, true, "\xc0\x80")}, 1007},
		"TextSurrogate":          {"8.1", [][]byte{masked(text, true, "\xed\xa0\x80")}, 1007},
		"TextPastUnicode":        {"8.1", [][]byte{masked(text, true, "\xf4\x90\x80\x80")}, 1007},
		"FragmentNotUTF8":        {"8.1", [][]byte{masked(text, false, "a\xff")}, 1007},
		"FragmentsCutInRune":     {"8.1", [][]byte{masked(text, false, "a\xc3"), masked(cont, true, "")}, 1007},
		"FragmentsMendNoRune":    {"8.1", [][]byte{masked(text, false, "a\xc3"), masked(cont, false, "a")}, 1007},
		"TooBig":                 {"10.4", [][]byte{header(0x81, 0xfe, 0x7f, 0xff)}, 1009},
		"TooBigBeyondMemory":     {"10.4", [][]byte{header(0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0)}, 1009},
		"TooBigInSum":            {"10.4", [][]byte{masked(text, false, long), masked(cont, true, long)}, 1009},
		"TooBigInSumAroundAPing": {"10.4", [][]byte{masked(text, false, long), masked(ping, true, long[:125]), masked(cont, false, long)}, 1009},
	}
	for bit := range 3 {
		rows[fmt.Sprint("ReservedBit", bit+1)] = row{"5.2", [][]byte{header(0x81|0x40>>bit, 0x80)}, 1002}
	}
	for _, op := range []byte{3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf} {
		rows[fmt.Sprint("ReservedOpcode", op)] = row{"5.2", [][]byte{header(0x80|op, 0x80)}, 1002}
	}
	for _, code := range []ws.StatusCode{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows[fmt.Sprint("CloseCode", code)] = row{"7.4", [][]byte{closing(code, "")}, 1002}
	}
	for name, one := range rows {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, split), func(t *testing.T) {
				in := append(masked(text, true, "before"), bytes.Join(one.in, nil)...)
				events, err := parseAll(append(in, masked(text, true, "after")...), split)
				var violated *CloseError
				if !errors.As(err, &violated) || violated.Code != one.code || violated.Reason == "" {
					t.Fatalf("RFC 6455 section %s: got %v, want close %d", one.rule, err, one.code)
				}
				if len(events) == 0 || events[0] != "text before" || events[len(events)-1] == "text after" {
					t.Fatalf("got %q, want what came before and nothing after", events)
				}
			})
		}
	}
}

// TestParser_Allowed is what RFC 6455 lets a client do.
func TestParser_Allowed(t *testing.T) {
	const text, cont = ws.OpText, ws.OpContinuation
	for name, one := range map[string]struct {
		in   [][]byte
		want []string
	}{
		"Text":            {[][]byte{masked(text, true, "hi")}, []string{"text hi"}},
		"Empty":           {[][]byte{masked(text, true, "")}, []string{"text "}},
		"Longest":         {[][]byte{masked(text, true, strings.Repeat("x", maxTest))}, []string{"text " + strings.Repeat("x", maxTest)}},
		"Binary":          {[][]byte{masked(ws.OpBinary, true, "\xff")}, []string{"binary \xff"}},
		"BinaryFragments": {[][]byte{masked(ws.OpBinary, false, "\xff"), masked(cont, true, "\xfe")}, []string{"binary \xff\xfe"}},
		"Fragments": {
			[][]byte{masked(text, false, "a\xc3"), masked(ws.OpPing, true, "p"), masked(cont, false, ""), masked(cont, true, "\xbcb")},
			[]string{"ping p", "text aüb"},
		},
		"EmptyFragments": {[][]byte{masked(text, false, ""), masked(cont, false, ""), masked(cont, true, "")}, []string{"text "}},
		"TwoInTurn": {
			[][]byte{masked(text, false, "a"), masked(cont, true, "b"), masked(text, false, "c"), masked(cont, true, "d")},
			[]string{"text ab", "text cd"},
		},
		"LongestPing":   {[][]byte{masked(ws.OpPing, true, strings.Repeat("x", 125))}, []string{"ping " + strings.Repeat("x", 125)}},
		"LonePong":      {[][]byte{masked(ws.OpPong, true, "p")}, []string{"pong p"}},
		"MaskOfZeros":   {[][]byte{header(0x81, 0x81, 0, 0, 0, 0, 'x')}, []string{"text x"}},
		"CloseEmpty":    {[][]byte{masked(ws.OpClose, true, ""), masked(text, true, "after")}, []string{"close 1005 "}},
		"CloseInText":   {[][]byte{masked(text, false, "x"), closing(1001, "bye"), masked(cont, true, "after")}, []string{"close 1001 bye"}},
		"CloseThenJunk": {[][]byte{closing(4999, ""), {0xff, 0xff, 0xff}}, []string{"close 4999 "}},
		"CloseByIANA":   {[][]byte{closing(1014, "")}, []string{"close 1014 "}},
	} {
		for _, split := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/%v", name, split), func(t *testing.T) {
				events, err := parseAll(bytes.Join(one.in, nil), split)
				if err != nil || fmt.Sprintf("%q", events) != fmt.Sprintf("%q", one.want) {
					t.Fatalf("got %q, %v, want %q", events, err, one.want)
				}
			})
		}
	}
}

// parseAll feeds a copy of in to a Parser, whole or growing byte by byte, and returns what came of it.
func parseAll(in []byte, split bool) (events []string, err error) {
	var p Parser
	defer p.Reset()
	in = bytes.Clone(in)
	var have []byte
	for len(in) > 0 {
		take := len(in)
		if split {
			take = 1
		}
		have, in = append(have, in[:take]...), in[take:]
		for len(have) > 0 {
			ev, n, err := p.Next(have, maxTest)
			if err != nil {
				return events, err
			}
			have = have[n:]
			if ev.Kind == None {
				if (p.Need() > 0) != (len(have) > 0) {
					return events, fmt.Errorf("needs %d bytes behind %d", p.Need(), len(have))
				}
				break
			}
			events = append(events, told(ev))
		}
	}
	return events, nil
}

func told(ev Event) string {
	switch ev.Kind {
	case Text:
		return "text " + string(ev.Payload)
	case Binary:
		return "binary " + string(ev.Payload)
	case Ping:
		return "ping " + string(ev.Payload)
	case Pong:
		return "pong " + string(ev.Payload)
	case Close:
		return fmt.Sprintf("close %d %s", ev.Code, ev.Payload)
	}
	return "nothing"
}

// FuzzParser looks for bytes that panic, that mean something else when they come one by one, that yield
// text which is not UTF-8 or a message that is too long, or that leave a Buf behind.
func FuzzParser(f *testing.F) {
	f.Add(bytes.Join([][]byte{
		masked(ws.OpText, false, "a\xc3"), masked(ws.OpPing, true, "p"), masked(ws.OpContinuation, true, "\xbcb"),
		masked(ws.OpBinary, true, strings.Repeat("x", 300)), closing(1000, "bye"),
	}, nil))
	f.Add(header(0x81, 0xff, 0, 0, 0, 0, 0, 1, 0, 0))
	f.Add(masked(ws.OpText, false, strings.Repeat("x", maxTest)))
	f.Fuzz(func(t *testing.T, in []byte) {
		before := Live()
		whole, err := parseAll(in, false)
		pieces, pieceErr := parseAll(in, true)
		if fmt.Sprintf("%q %v", whole, err) != fmt.Sprintf("%q %v", pieces, pieceErr) {
			t.Fatalf("whole: %q, %v\nin pieces: %q, %v", whole, err, pieces, pieceErr)
		}
		for _, ev := range whole {
			kind, payload, _ := strings.Cut(ev, " ")
			if len(payload) > maxTest || kind == "text" && strings.ToValidUTF8(payload, "") != payload {
				t.Fatalf("%q", ev)
			}
		}
		if Live() != before {
			t.Fatalf("%d Bufs left over", Live()-before)
		}
	})
}
