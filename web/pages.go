package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

// The files of the page and of the dashboard; jstest/ stays out of them.
var (
	//go:embed static
	staticFiles embed.FS
	//go:embed admin
	adminFiles embed.FS
)

// file is one embedded file, ready to be served.
type file struct {
	body []byte
	mime string
	etag string
}

// load reads all files of root in fsys, by their path below root.
func load(fsys fs.FS, root string) map[string]file {
	files := make(map[string]file)
	err := fs.WalkDir(fsys, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		files[name[len(root)+1:]] = file{body: body, mime: typeOf(name), etag: `"` + hex.EncodeToString(sum[:12]) + `"`}
		return nil
	})
	if err != nil {
		panic(err) // embedded: cannot fail once it was built
	}
	return files
}

// typeOf does not leave it to the machine's mime tables, which differ: a module
// with a wrong type is not run.
func typeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	}
	return mime.TypeByExtension(path.Ext(name))
}

func (f file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.mime)
	h.Set("ETag", f.etag)
	h.Set("Cache-Control", "no-cache") // kept, but asked for each time: 304
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.body))
}

// serveFiles registers all files but skip on mux below prefix.
func serveFiles(mux *http.ServeMux, prefix string, files map[string]file, skip string) {
	for name, f := range files {
		if name != skip {
			mux.Handle("GET "+prefix+name, f)
		}
	}
}
