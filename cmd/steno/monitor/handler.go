package monitor

import (
	"embed"
	"encoding/json"
	"io/fs"
	"net/http"
	"time"
)

// page holds what a browser loads: the page, its style and script, and uPlot
// (github.com/leeoniya/uPlot 1.6.32, MIT, page/uplot-LICENSE), which draws the
// charts. Nothing is loaded from elsewhere, so the page works offline.
//
//go:embed page
var page embed.FS

// policy lets a browser load and run nothing but what comes from here. What
// engines say ends up on the page; should it ever be taken for markup, this is
// the second wall.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Handler serves the page and what it asks for:
//
//	GET /                    the page; what it loads is under /monitor/
//	GET /monitor/events?org=       the live stream: events now and hour
//	GET /monitor/calls?org=&q=     calls whose key has q in it
//	GET /monitor/call?org=&key=    one call with its last utterances
//
// of finds the monitor of an org; an empty name stands for the one that is
// meant then, and nil for: there is none.
//
// The page itself is for everybody who can reach it, and tells nothing; the
// rest asks guard first, which returns why not.
func Handler(of func(org string) *Monitor, h *Hub, guard func(*http.Request) error) http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic("BUG: the page is not embedded: " + err.Error())
	}
	mux := http.NewServeMux()
	guarded := func(pattern string, f http.HandlerFunc) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Cache-Control", "no-store")
			if err := guard(r); err != nil {
				http.Error(w, err.Error(), http.StatusForbidden)
				return
			}
			f(w, r)
		})
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, files, "monitor.html")
	})
	mux.Handle("GET /monitor/", http.StripPrefix("/monitor/", http.FileServerFS(files)))
	guarded("GET /monitor/events", h.ServeHTTP)
	one := func(serve func(*Monitor, http.ResponseWriter, *http.Request)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			m := of(r.URL.Query().Get("org"))
			if m == nil {
				answer(w, http.StatusNotFound, map[string]string{"error": "nothing works for that org"})
				return
			}
			serve(m, w, r)
		}
	}
	guarded("GET /monitor/calls", one((*Monitor).serveSearch))
	guarded("GET /monitor/call", one((*Monitor).serveCall))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache") // a new daemon may have a new page
		mux.ServeHTTP(w, r)
	})
}

// found is the answer to a search.
type found struct {
	Found int         `json:"found"`
	Shown []CallShown `json:"shown"`
}

func (m *Monitor) serveSearch(w http.ResponseWriter, r *http.Request) {
	var f found
	f.Shown, f.Found = m.Search(time.Now(), r.URL.Query().Get("q"))
	answer(w, http.StatusOK, f)
}

func (m *Monitor) serveCall(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	c, known := m.Call(time.Now(), q.Get("org"), q.Get("key"))
	if !known {
		answer(w, http.StatusNotFound, map[string]string{"error": "the call is not known, or has been quiet for long"})
		return
	}
	answer(w, http.StatusOK, c)
}

// answer writes JSON. A viewer who has gone hears nothing.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
