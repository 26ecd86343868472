package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"time"
)

const (
	// maxSessionBody bounds the body of POST /session: 32 characters, however they are escaped.
	maxSessionBody = 4 << 10
	// renewAfter is the age from which GET /session issues the cookie anew.
	renewAfter = 24 * time.Hour
)

var (
	errBodyType = errors.New("web: the body is neither a form nor JSON")
	errBody     = errors.New("web: the body cannot be read")
)

// who is what /session answers.
type who struct {
	User string `json:"user"`
	Name string `json:"name"`
}

func (p *public) session(next func(http.ResponseWriter, *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Add("Vary", "Cookie")
		if !originOK(r, p.cfg.Origins) {
			writeError(w, http.StatusForbidden, "this origin may not use the server")
			return
		}
		next(w, r)
	}
}

func (p *public) getSession(w http.ResponseWriter, r *http.Request) {
	id, ok := p.identity(r)
	switch {
	case !ok:
		id = p.cfg.Sessions.Guest()
		w.Header().Set("Set-Cookie", p.cfg.Sessions.Cookie(id, p.secure(r)))
	case p.cfg.Now().Sub(id.Issued) > renewAfter:
		id.Issued = time.Time{}
		w.Header().Set("Set-Cookie", p.cfg.Sessions.Cookie(id, p.secure(r)))
	}
	writeJSON(w, http.StatusOK, who{id.User, id.Name})
}

func (p *public) postSession(w http.ResponseWriter, r *http.Request) {
	name, status, err := readName(w, r)
	if err != nil {
		writeError(w, status, err.Error()[len("web: "):])
		return
	}
	id, ok := p.identity(r)
	if !ok {
		id = p.cfg.Sessions.Guest()
	}
	id.Name, id.Issued = name, time.Time{}
	w.Header().Set("Set-Cookie", p.cfg.Sessions.Cookie(id, p.secure(r)))
	writeJSON(w, http.StatusOK, who{id.User, id.Name})
}

func (p *public) deleteSession(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Set-Cookie", p.cfg.Sessions.Forget(p.secure(r)))
	w.WriteHeader(http.StatusNoContent)
}

// identity joins several Cookie headers: HTTP/2 front ends may split them.
func (p *public) identity(r *http.Request) (Identity, bool) {
	for _, header := range r.Header["Cookie"] {
		if id, ok := p.cfg.Sessions.Read(header); ok {
			return id, true
		}
	}
	return Identity{}, false
}

func (p *public) secure(r *http.Request) bool {
	trusted := p.cfg.TrustedProxy != nil && p.cfg.TrustedProxy(peer(r))
	return p.cfg.CookieSecure.Secure(r.TLS != nil, trusted, r.Header.Get("X-Forwarded-Proto"))
}

// readName reads the name out of the body. The error's text is for people.
func readName(w http.ResponseWriter, r *http.Request) (name string, status int, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxSessionBody)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return "", http.StatusUnsupportedMediaType, errBodyType
	}
	switch kind {
	case "application/json":
		name, err = nameOfJSON(r.Body)
	case "application/x-www-form-urlencoded":
		err = r.ParseForm()
		name = r.PostForm.Get("name")
	case "multipart/form-data":
		err = r.ParseMultipartForm(maxSessionBody)
		name = r.PostForm.Get("name")
	default:
		return "", http.StatusUnsupportedMediaType, errBodyType
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return "", http.StatusRequestEntityTooLarge, errors.New("web: the body is too large")
	}
	if err != nil {
		return "", http.StatusBadRequest, errBody
	}
	if name, err = CleanName(name); err != nil {
		return "", http.StatusBadRequest, err
	}
	return name, http.StatusOK, nil
}

func nameOfJSON(r io.Reader) (string, error) {
	d := json.NewDecoder(r)
	var body struct {
		Name string `json:"name"`
	}
	if err := d.Decode(&body); err != nil {
		return "", err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errBody // a second value
		}
		return "", err
	}
	return body.Name, nil
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // our own plain structs
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // the client went away: nobody to tell
}

func writeError(w http.ResponseWriter, status int, sentence string) {
	writeJSON(w, status, struct {
		Error string `json:"error"`
	}{sentence})
}
