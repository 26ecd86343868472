package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// allowed says which packages of ours each folder may import; what stands on a
// line above may never import what stands below it.
var allowed = map[string][]string{
	"frame":              {},
	"netpoll":            {},
	"web":                {},
	"shard":              {"frame"},
	"bus":                {"shard", "frame"},
	"persist":            {"shard", "frame"},
	"cmd/nebula/gateway": {"netpoll", "frame", "shard"},
	"cmd/nebula":         {"netpoll", "frame", "shard", "bus", "persist", "web", "cmd/nebula/gateway"},
	"perf":               {"frame"},
}

// outside says which modules of others a folder may import besides the standard library;
// a folder that is not named is free.
var outside = map[string][]string{
	"frame":   {"github.com/gobwas/ws", "github.com/gobwas/httphead", "golang.org/x/text"},
	"netpoll": {"golang.org/x/sys", "github.com/tidwall/evio"},
	"shard":   {"golang.org/x/time"},
}

// TestImports_GoDownOnly reads the source files, because go test does not track
// what a child process such as go list reads and would answer from its cache.
func TestImports_GoDownOnly(t *testing.T) {
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		files++
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		checkFile(t, path, filepath.ToSlash(rel))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 20 {
		t.Fatalf("read %d files, want the whole tree", files)
	}
}

func checkFile(t *testing.T, path, rel string) {
	t.Helper()
	folder := filepath.ToSlash(filepath.Dir(rel))
	if strings.HasPrefix(folder, "perf/") {
		folder = "perf"
	}
	mayImport, known := allowed[folder]
	if !known {
		t.Errorf("%s: folder %s is not in the architecture", rel, folder)
		return
	}
	parsed, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Errorf("%s: %v", rel, err)
		return
	}
	test := strings.HasSuffix(rel, "_test.go")
	for _, spec := range parsed.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Errorf("%s: %v", rel, err)
			continue
		}
		if inner, ours := strings.CutPrefix(name, "nebula/"); ours {
			perfHelper := folder == "perf" && (strings.HasPrefix(inner, "perf/") || test)
			if inner != folder && !slices.Contains(mayImport, inner) && !perfHelper {
				t.Errorf("%s imports %s; %s may import %v", rel, inner, folder, mayImport)
			}
			continue
		}
		if limits, limited := outside[folder]; limited && !test && strings.Contains(strings.Split(name, "/")[0], ".") {
			if !slices.ContainsFunc(limits, func(one string) bool { return name == one || strings.HasPrefix(name, one+"/") }) {
				t.Errorf("%s imports %s; %s may import %v", rel, name, folder, limits)
			}
		}
	}
}
