package bus

import "sync"

const (
	inboxBytes    = 1 << 20 // of a partition's live entries that the receiver has not taken yet
	inboxMessages = 1024    // likewise
)

// inbox is how a partition's receiver is told. Nothing that is told is refused: what
// is live and does not fit is dropped, and read from the log later. Any goroutine.
type inbox struct {
	// Static after construction.
	wake chan struct{} // to the receiver; one token is enough

	// Guarded by mu.
	mu    sync.Mutex
	news  told
	bytes int // of news.live
}

// told is what a receiver is told.
type told struct {
	live   []string // entries from the channel, in order
	behind bool     // the log holds more than was live
	look   bool     // look at the head: the epoch may have changed, or the bus have lost something
	resume bool     // the node's database was exchanged; see Redis.Resume
}

func newInbox() *inbox { return &inbox{wake: make(chan struct{}, 1)} }

// put takes a live entry.
func (i *inbox) put(entry string) {
	defer poke(i.wake)
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.news.live) >= inboxMessages || i.bytes+len(entry) > inboxBytes && len(i.news.live) > 0 {
		clear(i.news.live)
		i.news.live, i.bytes, i.news.behind = i.news.live[:0], 0, true
	} else {
		i.news.live = append(i.news.live, entry)
		i.bytes += len(entry)
	}
}

// tell takes all that is no live entry.
func (i *inbox) tell(t told) {
	defer poke(i.wake)
	i.mu.Lock()
	defer i.mu.Unlock()
	i.news.behind = i.news.behind || t.behind
	i.news.look = i.news.look || t.look
	i.news.resume = i.news.resume || t.resume
}

// take empties the inbox; free is what the last take returned as live, cleared.
func (i *inbox) take(free []string) told {
	i.mu.Lock()
	defer i.mu.Unlock()
	t := i.news
	i.news, i.bytes = told{live: free[:0]}, 0
	return t
}
