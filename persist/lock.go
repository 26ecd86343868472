package persist

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// ErrLocked says that another process holds the folder.
var ErrLocked = errors.New("persist: another process uses this folder")

// lockFile is held with flock(2), which the kernel lets go of with the process,
// however that ends. SQLite's own locks stand on nebula.db; this is another file,
// because closing any descriptor of nebula.db would drop them.
const lockFile = "nebula.lock"

// lockDir takes the folder for this process until the file is closed.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("persist: open the lock: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
		}
		return nil, fmt.Errorf("persist: lock %s: %w", dir, os.NewSyscallError("flock", err))
	}
	return f, nil
}
