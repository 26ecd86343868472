package persist

import (
	"path/filepath"
	"sync"
	"testing"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// disk is a VFS (sqlite.org/vfs.html) between SQLite and the system's files: it lets
// a test refuse, delay and record what SQLite does to the files of one folder. It
// replaces four methods of each file that the system's VFS opens and hands
// everything else, locks and shared memory included, to that one.
type disk struct {
	// Static after construction.
	base *lib.Tsqlite3_vfs // the system's

	// Guarded by mu.
	mu    sync.Mutex
	files map[uintptr]*diskFile // by sqlite3_file
	hooks map[string]diskHook   // by folder
}

// diskFile is an open file.
type diskFile struct {
	path    string
	methods uintptr // ours
	base    *lib.Tsqlite3_io_methods
}

type diskOp uint8

const (
	diskOpen diskOp = iota // of a file that may be created
	diskWrite
	diskTruncate
	diskSync
	diskDelete
)

// diskCall is one call of SQLite. Data is valid until the hook returns.
type diskCall struct {
	op   diskOp
	path string
	at   int64 // diskWrite: offset; diskTruncate: size; diskDelete: 1 if the folder is synced
	data []byte
}

// diskHook sees a call before it is done, on SQLite's goroutine. Another result than
// 0 (SQLITE_OK) is returned to SQLite, and the call is not done.
type diskHook func(diskCall) int32

// testDisk is SQLite's default VFS from TestMain on. Its methods are C functions to
// SQLite, without room for a receiver.
var testDisk = &disk{files: map[uintptr]*diskFile{}, hooks: map[string]diskHook{}}

// install makes d the default of every connection that is opened from now on.
func (d *disk) install() {
	tls := libc.NewTLS()
	defer tls.Close()
	d.base = at[lib.Tsqlite3_vfs](lib.Xsqlite3_vfs_find(tls, 0))
	p := libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*d.base)))
	vfs := at[lib.Tsqlite3_vfs](p)
	*vfs = *d.base
	vfs.FxOpen, vfs.FxDelete = function(diskXOpen), function(diskXDelete)
	if rc := lib.Xsqlite3_vfs_register(tls, p, 1); rc != 0 {
		panic(rc)
	}
}

// on has hook see every call for a file in dir until the test ends.
func (d *disk) on(t *testing.T, dir string, hook diskHook) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.hooks[dir] = hook
	t.Cleanup(func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.hooks, dir)
	})
}

func (d *disk) see(c diskCall) int32 {
	d.mu.Lock()
	hook := d.hooks[filepath.Dir(c.path)]
	d.mu.Unlock()
	if hook == nil {
		return 0
	}
	return hook(c)
}

func (d *disk) file(p uintptr) *diskFile {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.files[p]
}

func diskXOpen(tls *libc.TLS, _, name, file uintptr, flags int32, outFlags uintptr) int32 {
	d := testDisk
	path := libc.GoString(name)
	if flags&lib.SQLITE_OPEN_CREATE != 0 {
		if rc := d.see(diskCall{op: diskOpen, path: path}); rc != 0 {
			return rc
		}
	}
	open := callable[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](d.base.FxOpen)
	rc := open(tls, address(d.base), name, file, flags, outFlags)
	methods := &at[lib.Tsqlite3_file](file).FpMethods
	if rc != 0 || *methods == 0 {
		return rc
	}
	f := &diskFile{path: path, base: at[lib.Tsqlite3_io_methods](*methods)}
	f.methods = libc.Xmalloc(tls, libc.Tsize_t(unsafe.Sizeof(*f.base)))
	ours := at[lib.Tsqlite3_io_methods](f.methods)
	*ours = *f.base
	ours.FxClose, ours.FxWrite = function(diskXClose), function(diskXWrite)
	ours.FxTruncate, ours.FxSync = function(diskXTruncate), function(diskXSync)
	*methods = f.methods
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files[file] = f
	return rc
}

func diskXDelete(tls *libc.TLS, _, name uintptr, syncDir int32) int32 {
	d := testDisk
	if rc := d.see(diskCall{op: diskDelete, path: libc.GoString(name), at: int64(syncDir)}); rc != 0 {
		return rc
	}
	return callable[func(*libc.TLS, uintptr, uintptr, int32) int32](d.base.FxDelete)(tls, address(d.base), name, syncDir)
}

func diskXClose(tls *libc.TLS, file uintptr) int32 {
	d := testDisk
	f := d.file(file)
	rc := callable[func(*libc.TLS, uintptr) int32](f.base.FxClose)(tls, file)
	libc.Xfree(tls, f.methods)
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.files, file)
	return rc
}

func diskXWrite(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	f := testDisk.file(file)
	bytes := unsafe.Slice(at[byte](data), n)
	if rc := testDisk.see(diskCall{diskWrite, f.path, offset, bytes}); rc != 0 {
		return rc
	}
	return callable[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](f.base.FxWrite)(tls, file, data, n, offset)
}

func diskXTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := testDisk.file(file)
	if rc := testDisk.see(diskCall{op: diskTruncate, path: f.path, at: size}); rc != 0 {
		return rc
	}
	return callable[func(*libc.TLS, uintptr, int64) int32](f.base.FxTruncate)(tls, file, size)
}

func diskXSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := testDisk.file(file)
	if rc := testDisk.see(diskCall{op: diskSync, path: f.path}); rc != 0 {
		return rc
	}
	return callable[func(*libc.TLS, uintptr, int32) int32](f.base.FxSync)(tls, file, flags)
}

// function returns what modernc's translated C holds as a pointer to a function; f
// must be one of this package, which is never collected.
func function[F any](f F) uintptr { return *(*uintptr)(unsafe.Pointer(&f)) }

// callable is the opposite of function.
func callable[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{p})) }

// at returns the T at an address of C's memory.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// address is the opposite of at, for what C owns.
func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }
