package web

import (
	"net/http"
	"sort"
)

// readiness is the body of /readyz.
type readiness struct {
	Ready    bool              `json:"ready"`
	NotReady []string          `json:"not_ready"`
	Reasons  map[string]string `json:"reasons,omitempty"`
}

func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}

// readyz answers 200 when ready returns nothing, else 503 with what it named;
// why it is so only where the reader may know (reasons).
func readyz(ready func() map[string]string, reasons bool) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		var faults map[string]string
		if ready != nil {
			faults = ready()
		}
		body := readiness{Ready: len(faults) == 0, NotReady: make([]string, 0, len(faults))}
		for name := range faults {
			body.NotReady = append(body.NotReady, name)
		}
		sort.Strings(body.NotReady)
		if reasons {
			body.Reasons = faults
		}
		status := http.StatusOK
		if !body.Ready {
			status = http.StatusServiceUnavailable
			w.Header().Set("Retry-After", "2")
		}
		writeJSON(w, status, body)
	}
}
