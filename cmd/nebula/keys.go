package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// minSecret is the shortest key taken: 16 bytes, half of what HMAC-SHA-256 can use.
const minSecret = 16

// cookieKeys returns the keys that sign and verify cookies: those of -secret or
// -secret-file, else the one kept in the data folder, made at the first start.
func cookieKeys(cfg config, folder string) ([][]byte, error) {
	secrets := cfg.secret
	if cfg.secretFile != "" {
		content, err := os.ReadFile(cfg.secretFile)
		if err != nil {
			return nil, fmt.Errorf("read -secret-file: %w", err)
		}
		secrets = strings.TrimSpace(string(content))
	}
	if secrets != "" {
		return splitKeys(secrets)
	}
	path := filepath.Join(folder, "cookie.key")
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the cookie key: %w", err)
	}
	return splitKeys(strings.TrimSpace(string(content)))
}

func splitKeys(secrets string) ([][]byte, error) {
	var keys [][]byte
	for one := range strings.SplitSeq(secrets, ",") {
		one = strings.TrimSpace(one)
		if len(one) < minSecret {
			return nil, fmt.Errorf("a cookie key has %d bytes, want at least %d", len(one), minSecret)
		}
		keys = append(keys, []byte(one))
	}
	return keys, nil
}

// newKey makes a key and keeps it at path; a crash in between leaves no half file.
func newKey(path string) ([][]byte, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	key := []byte(hex.EncodeToString(random[:]))
	if err := os.WriteFile(path+".new", append(key, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("keep the cookie key: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, fmt.Errorf("keep the cookie key: %w", err)
	}
	return [][]byte{key}, nil
}
