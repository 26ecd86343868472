package persist

import (
	"context"
	"errors"
	"fmt"
	"nebula/shard"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
)

// Store is an open history database. It is a shard.Journal and a shard.History.
type Store struct {
	// Static after construction.
	cfg              Config
	path             string
	lock             *os.File
	opened           bool     // open went well
	epochs           []uint64 // rising; the last one is this start's if it is not Clustered
	rooms, messages  int
	commits, batches *shard.Histogram
	cutAfter         time.Duration // see retainer; tests change it before Start
	faults           faults
	giveUp           chan struct{} // closed by Close past its context
	done             chan struct{} // closed when everything is closed

	// Any goroutine.
	queue    queue
	places   placeTable
	readers  pool
	guests   guests
	starting sync.Once
	givingUp sync.Once
	// Held by the writer for a transaction, by the checkpointer for a forced finish.
	gate sync.Mutex

	// Atomic.
	errors     atomic.Uint64
	fault      atomic.Pointer[error] // of the last attempt to commit, nil if it was none
	committing atomic.Int64          // when the open attempt began, Unix ns; 0: there is none

	// Each owned by its goroutine.
	writer       writer
	checkpointer checkpointer

	// Owned by the goroutine that closes done.
	conn      *sqlite.Conn   // the writer's
	readConns []*sqlite.Conn // the readers'
	ending    error
}

var (
	_ shard.Journal = (*Store)(nil)
	_ shard.History = (*Store)(nil)
)

// Open makes the folder if it is absent, takes it for this process, checks and migrates
// the database and, without a cluster, opens a new epoch. ErrLocked: another process has the
// folder. ErrForeign, ErrNewer, ErrCorrupt: the file is left as it was. Start and
// Close must follow.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := errors.Join(cfg.validate(), ctx.Err()); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("persist: make the folder: %w", err)
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, path: filepath.Join(cfg.Dir, databaseFile), lock: lock, cutAfter: cutAfter,
		commits: shard.NewHistogram(nil), batches: shard.NewHistogram([]float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}),
		giveUp: make(chan struct{}), done: make(chan struct{}),
	}
	s.queue.init(cfg.Queue)
	s.guests.init(s.path)
	if err := errors.Join(s.faults.arm(), s.open()); err != nil {
		return nil, errors.Join(err, s.closeFiles())
	}
	return s, nil
}

// Epoch returns the newest epoch that was known when Open ran; 0: none. Without a
// cluster that is this start's own: above every one before, and at least Unix
// milliseconds, so that it is a new one even if the folder was lost.
func (s *Store) Epoch() uint64 {
	if len(s.epochs) == 0 {
		return 0
	}
	return s.epochs[len(s.epochs)-1]
}

// Epochs returns all epochs that were known when Open ran, rising. The caller must not
// write to it.
func (s *Store) Epochs() []uint64 { return s.epochs }

// Counts returns how many rooms and messages were stored when Open ran.
func (s *Store) Counts() (rooms, messages int) { return s.rooms, s.messages }

// Start starts the goroutines; once. committed is called on the writer's goroutine
// after each commit, with one notice a room; the slice is valid until it returns.
// replayed is called on a reader's goroutine and owns the messages. Both may call
// Append and Replay, and must not call Close.
func (s *Store) Start(committed func([]shard.Notice), replayed func(shard.Answer)) {
	s.starting.Do(func() {
		s.writer.committed, s.readers.replayed = committed, replayed
		go s.run()
	})
}

// Append takes r and the reference of its Body; it never blocks. On false, the
// queue being full or the Store closed, the caller keeps the reference. What was
// taken is committed in the order of Append, room by room. Any goroutine.
func (s *Store) Append(r shard.Record) bool {
	if s.faults.hit("before-append") != nil || !s.queue.push(r) {
		return false
	}
	_ = s.faults.hit("after-append") // it is taken already
	return true
}

// AppendEntry takes the messages of an entry of the bus's log, and the references of
// their Bodies, all or none; it never blocks. On false, as with Append, the caller keeps
// them. The messages and p, as the place of p.Partition, are committed together; what is
// stored already stays as it is. An entry may have no message, and one with more than
// Config.Queue is taken when nothing waits. Entries of a partition must come in order.
// Any goroutine.
func (s *Store) AppendEntry(records []shard.Record, p shard.Place) bool {
	if s.faults.hit("before-append") != nil || !s.queue.pushEntry(records, p) {
		return false
	}
	_ = s.faults.hit("after-append") // it is taken already
	return true
}

// Replay takes a question; it never blocks. false: too many wait, or the Store is
// closed. The answer to a Load holds everything of its room that was appended
// before. Any goroutine.
func (s *Store) Replay(req shard.Request) bool { return s.readers.ask(req, &s.queue) }
