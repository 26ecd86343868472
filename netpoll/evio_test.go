//go:build unix

package netpoll

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"testing"
	"time"
)

func listenWithEvio(cfg Config) (Engine, error) {
	cfg.Engine = engineEvio
	return Listen(cfg)
}

func TestEvio_Conforms(t *testing.T) { suite{listen: listenWithEvio, later: true}.run(t) }

// serveFewFilesWithEvio uses up all files at the first line of its input and gives them back at the
// second.
func serveFewFilesWithEvio() {
	e := startFewFiles(Config{Engine: engineEvio, RejectFull: []byte("full\n")})
	in := bufio.NewScanner(os.Stdin)
	in.Scan()
	var files []*os.File
	for {
		file, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, file)
	}
	fmt.Println("no file left")
	in.Scan()
	for _, file := range files {
		file.Close()
	}
	in.Scan()
	fmt.Println(e.Stats().RejectedFiles, e.Stats().RejectedFull)
	orExit(e.Close(context.Background()))
}

// TestEvio_StaysBelowTheFileLimit has clients that do not fit told so, and then takes the files away
// that it relies on: evio ends all connections, and is started again.
func TestEvio_StaysBelowTheFileLimit(t *testing.T) {
	c := startChild(t, "few files with evio")
	var clients []net.Conn
	for i := range 3 * fewFiles {
		nc := c.dial(t)
		if i < fewFiles/2 {
			clients = append(clients, nc)
			say(t, nc, "in\n")
			want(t, nc, "in\n")
		} else {
			want(t, nc, "full\n")
		}
	}
	for _, nc := range clients {
		say(t, nc, "still here\n")
		want(t, nc, "still here\n")
	}
	fmt.Fprintln(c.in, "take the files")
	c.line(t)
	if nc, err := net.Dial("tcp", c.addr); err == nil { // it may see the port close
		defer nc.Close()
	}
	for _, nc := range clients {
		wantEnd(t, nc)
	}
	fmt.Fprintln(c.in, "give them back")
	until(t, "it serves again", func() bool {
		nc, err := net.Dial("tcp", c.addr)
		if err != nil {
			return false
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(patience))
		_, err = fmt.Fprintln(nc, "again")
		line, readErr := bufio.NewReader(nc).ReadString('\n')
		return err == nil && readErr == nil && line == "again\n"
	})
	c.in.Close()
	var files, full int
	if _, err := fmt.Sscan(c.line(t), &files, &full); err != nil {
		t.Fatal(err)
	}
	if files == 0 || full < 2*fewFiles {
		t.Errorf("ended %d times, told %d that it is full, want some and %d", files, full, 2*fewFiles)
	}
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}
