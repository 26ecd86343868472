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
	copyFolder   = "copy" // in the data folder, while a copy is being made
	copyScheme   = "Nebula "
	copyFirst    = "first"         // asks for a history that is not in the log
	copySkew     = 5 * time.Minute // that the nodes' clocks may differ
	copyAnswers  = 10 * time.Second
	copyRetry    = time.Second
	copyPatience = 15 * time.Second // of a node without history with others that cannot say whether they have one
)

// errNoHistory is a peer's answer that has none but what came by the log.
var errNoHistory = errors.New("it has no history")

// renew makes a copy of another node's history where this node needs one, and main goes on
// with it: a node that has none does before it is ready, for the log need not reach back
// to all, or never held what was said on one machine; and one that was away longer than
// the log reaches back does.
func (a *app) renew(keys [][]byte) {
	tick := time.NewTicker(readyEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			switch {
			case a.whole.Load():
				tick.Stop()
			case a.bus.Ready() != nil: // its peers are not known before
			case a.copyHistory(keys, true):
				return
			default:
				a.whole.Store(true)
			}
		case <-a.member.stale:
			a.log.Warn("the bus does not reach back to this node's history: copying another node's")
			a.copyHistory(keys, false)
			return
		case <-a.ending.Done():
			return
		}
	}
}

// copyHistory asks all peers until one gives its history. first: this node has none, and
// goes on without one when all have said that they have none either, or have said nothing
// for too long. false: there is no copy.
func (a *app) copyHistory(keys [][]byte, first bool) bool {
	for until := time.Now().Add(copyPatience); ; {
		unsure := 0
		for _, peer := range a.bus.Peers() {
			began := time.Now()
			err := fetchHistory(a.ending, peer, keys, filepath.Join(a.folder, copyFolder), first)
			switch {
			case err == nil:
				a.log.Info("copied the history", "from", peer.Name, "took", time.Since(began).Round(time.Millisecond))
				a.renewed <- struct{}{}
				return true
			case errors.Is(err, errNoHistory):
			case a.ending.Err() == nil:
				a.log.Warn("no copy of the history", "from", peer.Name, "error", err)
				if peer.Admin != "" { // else it will never say
					unsure++
				}
			}
		}
		if first && (unsure == 0 || time.Now().After(until)) {
			return false
		}
		select {
		case <-time.After(copyRetry/2 + rand.N(copyRetry)):
		case <-a.ending.Done():
			return false
		}
	}
}

// isNew tells whether this node had no message when it started.
func (a *app) isNew() bool {
	_, messages := a.store.Counts()
	return messages == 0
}

// fetchHistory makes a database in folder of a peer's. first: this node follows the log
// from its beginning, and needs nothing that a peer has by the log.
func fetchHistory(ctx context.Context, peer bus.Peer, keys [][]byte, folder string, first bool) error {
	if peer.Admin == "" {
		return errors.New("it advertises no admin address")
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	url := "http://" + peer.Admin + "/cluster/history"
	if first {
		url += "?" + copyFirst
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
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
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusNoContent:
		return errNoHistory
	default:
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
		if r.URL.Query().Has(copyFirst) && a.isNew() { // whatever it has by now came by the log
			w.WriteHeader(http.StatusNoContent)
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
