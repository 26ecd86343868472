package netpoll

import (
	"io"
	"net"
	"sync"
)

// detached is a connection that left its loop for net/http.
type detached struct {
	*net.TCPConn
	leave  func()          // gives back its place in Config.MaxConns
	ready  <-chan struct{} // closed once the loop will not touch the socket any more; nil: it does not
	once   sync.Once       // of leave
	unread []byte          // comes before what the socket says; owned by the reader
}

func (d *detached) Read(p []byte) (int, error) {
	if len(d.unread) > 0 {
		n := copy(p, d.unread)
		d.unread = d.unread[n:]
		return n, nil
	}
	d.wait()
	return d.TCPConn.Read(p)
}

// WriteTo is what io.Copy prefers to Read; TCPConn's own knows nothing of unread.
func (d *detached) WriteTo(w io.Writer) (int64, error) {
	var before int64
	if len(d.unread) > 0 {
		n, err := w.Write(d.unread)
		d.unread = d.unread[n:]
		before = int64(n)
		if err != nil {
			return before, err
		}
	}
	d.wait()
	n, err := d.TCPConn.WriteTo(w)
	return before + n, err
}

func (d *detached) wait() {
	if d.ready != nil {
		<-d.ready
	}
}

func (d *detached) Close() error {
	d.once.Do(d.leave)
	return d.TCPConn.Close()
}
