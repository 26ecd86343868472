package resp

import (
	"bufio"
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestConn_ReadsRESP2(t *testing.T) {
	for text, want := range map[string]Reply{
		"+OK\r\n":                  {Text: "OK"},
		":12\r\n":                  {Text: "12"},
		"$3\r\na\r\n\r\n":          {Text: "a\r\n"},
		"$0\r\n\r\n":               {},
		"$-1\r\n":                  {},
		"*-1\r\n":                  {},
		"*2\r\n:1\r\n*1\r\n+b\r\n": {List: []Reply{{Text: "1"}, {List: []Reply{{Text: "b"}}}}},
	} {
		r := Conn{in: bufio.NewReader(strings.NewReader(text))}
		if got, err := r.Read(); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"-ERR no\r\n", "\r\n", "+\n", "$x\r\n", "$99999999999\r\n", "!1\r\n", "*1\r\n-ERR no\r\n"} {
		r := Conn{in: bufio.NewReader(strings.NewReader(bad))}
		if got, err := r.Read(); !errors.Is(err, ErrReply) {
			t.Errorf("%q: got %+v, %v", bad, got, err)
		}
	}
	for _, cut := range []string{"", "+OK", "$3\r\nab", "*2\r\n:1\r\n"} {
		r := Conn{in: bufio.NewReader(strings.NewReader(cut))}
		if got, err := r.Read(); err == nil {
			t.Errorf("%q: got %+v", cut, got)
		}
	}
	if got := string(appendCall(nil, []string{"GET", "kä"})); got != "*2\r\n$3\r\nGET\r\n$3\r\nkä\r\n" {
		t.Errorf("got %q", got)
	}
}

func TestReply_At(t *testing.T) {
	r := Reply{List: []Reply{{Text: "a"}, {List: []Reply{{Text: "b"}}}}}
	if r.At(1, 0).Text != "b" || r.At(0).Text != "a" || r.At(1, 5).Text != "" || r.At(9, 9).Text != "" {
		t.Errorf("got %+v", r)
	}
}
