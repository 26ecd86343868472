package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"nebula/bus"
	"nebula/persist"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	copyFolder  = "copy" // in the data folder, while a copy is being made
	copyScheme  = "Nebula "
	copySkew    = 5 * time.Minute // that the nodes' clocks may differ
	copyAnswers = 10 * time.Second
	copyRetry   = time.Second
)

// renew waits until the bus's log does not reach back to what this node has, and then
// makes a copy of another node's history; main goes on with it.
func (a *app) renew(keys [][]byte) {
	select {
	case <-a.member.stale:
	case <-a.ending.Done():
		return
	}
	a.log.Warn("the bus does not reach back to this node's history: copying another node's")
	for {
		for _, peer := range a.bus.Peers() {
			began := time.Now()
			err := fetchHistory(a.ending, peer, keys, filepath.Join(a.folder, copyFolder))
			if err == nil {
				a.log.Info("copied the history", "from", peer.Name, "took", time.Since(began).Round(time.Millisecond))
				a.renewed <- struct{}{}
				return
			}
			if a.ending.Err() == nil {
				a.log.Warn("no copy of the history", "from", peer.Name, "error", err)
			}
		}
		select {
		case <-time.After(copyRetry/2 + rand.N(copyRetry)):
		case <-a.ending.Done():
			return
		}
	}
}

// fetchHistory makes a database in folder of a peer's.
func fetchHistory(ctx context.Context, peer bus.Peer, keys [][]byte, folder string) error {
	if peer.Admin == "" {
		return errors.New("it advertises no admin address")
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+peer.Admin+"/cluster/history", nil)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", copyScheme+copyToken(keys[0], time.Now().Unix()))
	client := http.Client{Transport: &http.Transport{ResponseHeaderTimeout: copyAnswers, DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return persist.Restore(ctx, folder, answer.Body)
}

// historyHandler streams this node's history to a node that knows the cookie key.
func (a *app) historyHandler(keys [][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !copyAllowed(r.Header.Get("Authorization"), keys, time.Now()) {
			http.Error(w, "the nodes' -secret differ, or their clocks", http.StatusForbidden)
			return
		}
		if err := a.bus.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		began := time.Now()
		err := a.store.Backup(r.Context(), &pacedWriter{w: w})
		if err != nil {
			a.log.Warn("a copy of the history was cut short", "to", r.RemoteAddr, "error", err)
			panic(http.ErrAbortHandler) // so that who reads does not take it for the whole
		}
		a.log.Info("gave a copy of the history", "to", r.RemoteAddr, "took", time.Since(began).Round(time.Millisecond))
	})
}

// pacedWriter gives each piece a deadline of its own, since a big history takes longer
// than any other answer may.
type pacedWriter struct{ w http.ResponseWriter }

func (p *pacedWriter) Write(b []byte) (int, error) {
	if err := http.NewResponseController(p.w).SetWriteDeadline(time.Now().Add(copyAnswers)); err != nil {
		return 0, err
	}
	return p.w.Write(b)
}

// copyToken proves that its maker knows key, at a time (Unix seconds).
func copyToken(key []byte, at int64) string {
	derived := hmac.New(sha256.New, key)
	derived.Write([]byte("nebula: copy of the history"))
	mac := hmac.New(sha256.New, derived.Sum(nil))
	stamp := strconv.FormatInt(at, 10)
	mac.Write([]byte(stamp))
	return stamp + "." + hex.EncodeToString(mac.Sum(nil))
}

func copyAllowed(header string, keys [][]byte, now time.Time) bool {
	token, ok := strings.CutPrefix(header, copyScheme)
	stamp, _, found := strings.Cut(token, ".")
	at, err := strconv.ParseInt(stamp, 10, 64)
	if !ok || !found || err != nil || now.Sub(time.Unix(at, 0)).Abs() > copySkew {
		return false
	}
	for _, key := range keys {
		if hmac.Equal([]byte(copyToken(key, at)), []byte(token)) {
			return true
		}
	}
	return false
}
