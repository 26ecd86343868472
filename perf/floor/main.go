//go:build linux

// Command floor is the bare-write floor that perf/bare describes, as a process.
package main

import (
	"flag"
	"fmt"
	"nebula/perf/bare"
	"net/netip"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "loopback address to listen on")
	flag.Parse()
	if err := run(*addr); err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
}

// run serves until SIGTERM or SIGINT and then says what was dropped.
func run(addr string) error {
	at, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("parse -addr: %w", err)
	}
	server, err := bare.New(at)
	if err != nil {
		return err
	}
	fmt.Println(server.Addr())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		server.Close()
	}()
	if err := server.Run(); err != nil {
		return err
	}
	if n := server.Dropped(); n > 0 {
		fmt.Fprintln(os.Stderr, "floor: frames that the kernel did not take:", n)
	}
	return nil
}
