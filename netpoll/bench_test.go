package netpoll

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
)

// fanOut opens n connections whose peers read and drop.
func fanOut(b *testing.B, n int) []Conn {
	b.Helper()
	w := watch()
	e, err := Listen(Config{Addr: "127.0.0.1:0", Loops: 1, Handler: func(int) Handler { return w }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = e.Close(context.Background()) })
	conns := make([]Conn, n)
	for i := range conns {
		nc, err := net.Dial("tcp", e.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { nc.Close() })
		go func() { _, _ = io.Copy(io.Discard, nc) }()
		conns[i] = <-w.opened
	}
	return conns
}

func BenchmarkConn_Send(b *testing.B) {
	conns := fanOut(b, 256)
	p := &blob{b: make([]byte, 150)}
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		conns[i%len(conns)].Send(p)
		i++
	}
}

// BenchmarkConn_SendLanes has every core send to connections of its own.
func BenchmarkConn_SendLanes(b *testing.B) {
	conns := fanOut(b, 256)
	p := &blob{b: make([]byte, 150)}
	var lanes atomic.Int32
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		lane := conns[lanes.Add(1)%2*128:][:128]
		for i := 0; pb.Next(); i++ {
			lane[i%len(lane)].Send(p)
		}
	})
}

// BenchmarkEngine_Echo is one read and one send, in turn.
func BenchmarkEngine_Echo(b *testing.B) {
	answer := text("pong")
	e, err := Listen(Config{Addr: "127.0.0.1:0", Handler: func(int) Handler {
		return &funcs{data: func(c Conn, in []byte) int { c.Send(answer); return len(in) }}
	}})
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = e.Close(context.Background()) }()
	nc, err := net.Dial("tcp", e.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	buf := make([]byte, 4)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(answer.b); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(nc, buf); err != nil {
			b.Fatal(err)
		}
	}
}
