//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// TestMain wants no goroutine, descriptor, process or folder left.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "nebula-nodes-test-")
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("TMPDIR", folder); err != nil {
		panic(err)
	}
	before := openFiles()
	code := m.Run()
	fail := func(format string, args ...any) {
		if code == 0 {
			fmt.Fprintf(os.Stderr, format+"\n", args...)
			code = 1
		}
	}
	if after := openFiles(); after > before {
		fail("%d files open after the tests, %d before", after, before)
	}
	if _, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil); !errors.Is(err, syscall.ECHILD) {
		fail("processes are left: %v", err)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		fail("left behind: %v %v", left, err)
	}
	if err := os.RemoveAll(folder); err != nil {
		fail("%v", err)
	}
	if err := goleak.Find(); err != nil {
		fail("%v", err)
	}
	os.Exit(code)
}

// openFiles counts descriptors but those of the Go runtime's own poller, which stays.
func openFiles() (n int) {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && to != "anon_inode:[eventpoll]" && to != "anon_inode:[eventfd]" {
			n++
		}
	}
	return n
}
