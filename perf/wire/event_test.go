package wire

import (
	"encoding/json"
	"errors"
	"testing"
)

const goodMessage = `{"type":"message","seq":              42,"time":1764000000000,"room":"r","id":"a-1","user":"u","name":"n","text":"hi \"you\""}`

func TestEvent_Message(t *testing.T) {
	var e Event
	if err := e.Decode([]byte(goodMessage)); err != nil {
		t.Fatal(err)
	}
	if e.Kind != KindMessage || e.Seq != 42 || e.Time != 1764000000000 || string(e.Room) != "r" ||
		string(e.ID) != "a-1" || string(e.Text) != `hi \"you\"` {
		t.Errorf("got %+v", e)
	}
}

func TestEvent_EveryTypeOfTheProtocol(t *testing.T) {
	for kind, text := range map[Kind]string{
		KindWelcome:  `{"type":"welcome","user":"u","name":"n","node":"x","version":"1","heartbeat_ms":25000,"limits":{"text_bytes":4096}}`,
		KindJoined:   `{"type":"joined","room":"r","epoch":"7","seq":3,"users":[{"user":"u","name":"]"}],"count":1,"messages":[],"complete":true}`,
		KindLeft:     `{"type":"left","room":"r"}`,
		KindAck:      `{"type":"ack","room":"r","id":"a","seq":1,"time":2}`,
		KindPresence: `{"type":"presence","room":"r","count":2,"joined":[{"user":"u","name":"n"}]}`,
		KindUsers:    `{"type":"users","room":"r","offset":0,"count":1,"users":[]}`,
		KindHistory:  `{"type":"history","room":"r","messages":[],"more":false}`,
		KindTyping:   `{"type":"typing","room":"r","user":"u","name":"n"}`,
		KindPong:     `{"type":"pong","t":1.5}`,
		KindError:    `{"type":"error","code":"busy","message":"later","retry_ms":100}`,
		KindGoodbye:  ` { "type" : "goodbye" , "reason" : "restart" , "retry_ms" : 1500 }`,
	} {
		var e Event
		if err := e.Decode([]byte(text)); err != nil || e.Kind != kind {
			t.Errorf("%s: got kind %d, error %v", text, e.Kind, err)
		}
	}
}

func TestEvent_RefusesWhatTheProtocolDoesNotSay(t *testing.T) {
	for name, text := range map[string]string{
		"empty":              ``,
		"array":              `[]`,
		"no type":            `{"room":"r"}`,
		"unknown type":       `{"type":"noise"}`,
		"cut":                goodMessage[:len(goodMessage)-1],
		"garbage behind":     goodMessage + "x",
		"field left out":     `{"type":"ack","room":"r","id":"a","time":2}`,
		"seq a string":       `{"type":"ack","room":"r","id":"a","seq":"1","time":2}`,
		"seq negative":       `{"type":"ack","room":"r","id":"a","seq":-1,"time":2}`,
		"seq past 2^53":      `{"type":"ack","room":"r","id":"a","seq":9007199254740993,"time":2}`,
		"id a number":        `{"type":"ack","room":"r","id":1,"seq":1,"time":2}`,
		"messages an object": `{"type":"history","room":"r","messages":{},"more":false}`,
		"more a number":      `{"type":"history","room":"r","messages":[],"more":0}`,
	} {
		var e Event
		if err := e.Decode([]byte(text)); !errors.Is(err, ErrEvent) {
			t.Errorf("%s: got %v, want ErrEvent", name, err)
		}
	}
}

func TestSay_CarriesItsStamp(t *testing.T) {
	for _, size := range []int{MinText, 128, 4000} {
		raw := AppendSay(nil, "room", "run-0-", 17, 123456789, size)
		var got struct{ Type, Room, ID, Text string }
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%v in %s", err, raw)
		}
		if got.Type != "message" || got.Room != "room" || got.ID != "run-0-17" || len(got.Text) != size {
			t.Errorf("size %d: got %+v", size, got)
		}
		if due, ok := ReadStamp([]byte(got.Text), size); !ok || due != 123456789 {
			t.Errorf("size %d: got stamp %d %v", size, due, ok)
		}
		if _, ok := ReadStamp([]byte(got.Text[1:]), size); ok {
			t.Errorf("size %d: a text one byte short was taken", size)
		}
		if spoilt := []byte(got.Text[:size-1] + "!"); true {
			if _, ok := ReadStamp(spoilt, size); ok {
				t.Errorf("size %d: a changed text was taken", size)
			}
		}
	}
}

func TestAppend_WhatClientsAskIsJSON(t *testing.T) {
	for _, raw := range [][]byte{
		AppendJoin(nil, "r", "", 0), AppendJoin(nil, "r", "17", 5), AppendHistory(nil, "r", 9, 200),
	} {
		if !json.Valid(raw) {
			t.Errorf("got %s", raw)
		}
		var r Request
		if !r.Decode(raw) || string(r.Room) != "r" {
			t.Errorf("Request.Decode of %s: got %+v", raw, r)
		}
	}
}

// FuzzEach holds the walker to encoding/json: where json finds an object, Each must find the same keys.
func FuzzEach(f *testing.F) {
	f.Add([]byte(goodMessage))
	f.Add([]byte(`{"a":[1,{"b":"\\\""}],"c":null}`))
	f.Add([]byte(` { } `))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys := 0
		whole := Each(b, func(_, value []byte) bool {
			if len(value) == 0 {
				t.Fatal("an empty value")
			}
			keys++
			return true
		})
		var e Event
		_ = e.Decode(b) // must not fall over
		if len(b) == 0 || !json.Valid(b) {
			return
		}
		var object map[string]json.RawMessage
		if json.Unmarshal(b, &object) != nil || object == nil {
			return
		}
		if !whole || keys < len(object) {
			t.Fatalf("got %d keys, whole %v, want %d of %q", keys, whole, len(object), b)
		}
	})
}
