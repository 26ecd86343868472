//go:build linux

// Command relay is the least that a node of a cluster does to a message, which Nebula's
// way over Redis is compared with (perf/nodes): a line that a client sends becomes one
// script call; what is published is written to every client.
//
// It omits, on purpose, all that Nebula is: WebSocket, rooms, checks, storage, acks,
// order after a fault, any care for who reads slowly.
//
// Its goroutines: one for each client, one that reads the answers of Redis, one that
// hears the channel and writes to all. It ends with its first error, or by a signal.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"nebula/perf/resp"
	"net"
	"os"
	"sync"
	"time"
)

// lifetime bounds everything: a relay that was forgotten ends by itself.
const lifetime = 10 * time.Minute

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "loopback address to listen on")
	bus := flag.String("redis", "", "address of Redis")
	script := flag.String("script", "", "what it calls with a log as KEYS[1] and ARGV: the line, the channel")
	flag.Parse()
	fmt.Fprintln(os.Stderr, "relay:", run(*addr, *bus, *script))
	os.Exit(1)
}

// relay is one process's clients and its two connections to Redis.
type relay struct {
	// Static after construction.
	caller, hearer *resp.Conn
	words          []string // of the call, an empty one where the line goes

	// Guarded by mu.
	mu      sync.Mutex
	clients []net.Conn
}

const (
	key     = "relay:log"
	channel = "relay:live"
	lineAt  = 4 // in words
)

// run serves until something fails.
func run(addr, bus, script string) error {
	r := &relay{}
	var err, fault error
	r.caller, err = resp.Dial(bus)
	r.hearer, fault = resp.Dial(bus)
	if err := errors.Join(err, fault); err != nil {
		return err
	}
	sha, err := r.caller.Ask("SCRIPT", "LOAD", script)
	if err != nil {
		return err
	}
	r.words = []string{"EVALSHA", sha.Text, "1", key, "", channel}
	if _, err := r.hearer.Ask("SUBSCRIBE", channel); err != nil {
		return err
	}
	if err := errors.Join(r.caller.Limit(lifetime), r.hearer.Limit(lifetime)); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	failed := make(chan error)
	go func() { failed <- r.accept(listener) }()
	go func() { failed <- r.discard() }()
	go func() { failed <- r.hear() }()
	return <-failed
}

func (r *relay) accept(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		r.mu.Lock()
		r.clients = append(r.clients, conn)
		r.mu.Unlock()
		go r.serve(conn)
	}
}

// serve makes a call of each line of a client, until it goes.
func (r *relay) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		r.mu.Lock()
		r.words[lineAt] = line
		err = r.caller.Send(r.words...)
		r.mu.Unlock()
		if err != nil {
			return // discard says so
		}
	}
}

// discard reads the answers of the calls.
func (r *relay) discard() error {
	for {
		if _, err := r.caller.Read(); err != nil {
			return err
		}
	}
}

// hear writes what is published to every client. What a client does not take is lost:
// whoever measures notices.
func (r *relay) hear() error {
	for {
		pushed, err := r.hearer.Read() // "message", channel, line
		if err != nil {
			return err
		}
		r.mu.Lock()
		for _, conn := range r.clients {
			_, _ = conn.Write([]byte(pushed.At(2).Text))
		}
		r.mu.Unlock()
	}
}
