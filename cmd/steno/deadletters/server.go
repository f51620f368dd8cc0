package deadletters

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"example.com/steno/batcher/spool"
)

// Handler serves letters to whoever works on this machine:
//
//	GET  /deadletters?call=&org=&reason=&since=  a line of JSON each, without text
//	GET  /deadletters/{id}?org=                  one, with text
//	GET  /deadletters/export?…                   the lines of a Connect upload
//	POST /deadletters/retry                      a Selection as JSON
//	POST /deadletters/drop                       the same
//
// What goes wrong after the answer has begun is told in its trailer. name is
// what the machine is called in the Host header, beside its addresses and
// localhost; it may be empty.
func Handler(letters Letters, name string) http.Handler {
	s := server{letters}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /deadletters", s.list)
	mux.HandleFunc("GET /deadletters/{id}", s.show)
	mux.HandleFunc("GET /deadletters/export", s.export)
	mux.HandleFunc("POST /deadletters/{act}", s.change)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if err := allowed(r, name); err != nil {
			answerError(w, http.StatusForbidden, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// allowed keeps everybody out but programs on this machine: whoever calls from
// another one, wherever the admin address listens; and the pages in a browser
// on this one, which may send what they like to a loopback address, under a
// name of their own for it too.
func allowed(r *http.Request, name string) error {
	remote, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !remote.Addr().IsLoopback() && remote.Addr().Unmap() != localAddress(r.Context()) {
		return errors.New("dead letters are for clients on this machine only")
	}
	if err := knownHost(r.Host, name); err != nil {
		return err
	}
	for _, name := range []string{"Origin", "Sec-Fetch-Site"} {
		if v := r.Header.Get(name); v != "" && v != "none" {
			return fmt.Errorf("the header %s is %q: dead letters are not for pages in a browser", name, v)
		}
	}
	return nil
}

// knownHost refuses a Host header with a name that is not one of names: a page
// may give this machine a name of its own, and then asks from the same site.
// Whoever asks for an address or localhost knows whom he asks.
func knownHost(header string, names ...string) error {
	host := header
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || strings.EqualFold(host, "localhost") {
		return nil
	}
	if host != "" && slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(host, name) }) {
		return nil
	}
	return fmt.Errorf("the Host header is %q: must be an address, localhost, or the host of the admin address", header)
}

// OwnPage lets programs in, and in a browser only pages that came from the
// admin listener itself, under an address, localhost or one of names. It is for
// what the monitor page asks for.
func OwnPage(r *http.Request, names ...string) error {
	if err := knownHost(r.Host, names...); err != nil {
		return err
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" && site != "none" {
		return fmt.Errorf("the header Sec-Fetch-Site is %q: this is for the monitor page only", site)
	}
	if origin := r.Header.Get("Origin"); origin != "" && !strings.EqualFold(strings.TrimPrefix(strings.TrimPrefix(origin, "http://"), "https://"), r.Host) {
		return fmt.Errorf("the header Origin is %q: this is for the monitor page only", origin)
	}
	return nil
}

// localAddress is the address of this machine that the client has called.
func localAddress(ctx context.Context) netip.Addr {
	a, ok := ctx.Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return netip.Addr{}
	}
	local, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.Addr{}
	}
	return local.Addr().Unmap()
}

// server serves Letters.
type server struct{ letters Letters }

// trailer is where an error goes that comes after the answer has begun.
const trailer = "X-Steno-Error"

func (s server) list(w http.ResponseWriter, r *http.Request) {
	s.stream(w, r, func(ctx context.Context, f Filter) error {
		lines := json.NewEncoder(w)
		return s.letters.List(ctx, f, func(d Shown) error { return lines.Encode(d) })
	})
}

func (s server) export(w http.ResponseWriter, r *http.Request) {
	s.stream(w, r, func(ctx context.Context, f Filter) error { return s.letters.Export(ctx, f, w) })
}

// stream answers with lines, and with an error in the trailer.
func (s server) stream(w http.ResponseWriter, r *http.Request, write func(context.Context, Filter) error) {
	f, err := parseFilter(r.URL.RawQuery)
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Trailer", trailer)
	w.WriteHeader(http.StatusOK)
	if err := write(r.Context(), f); err != nil {
		w.Header().Set(trailer, tell(err))
	}
}

// tell is an error in a header: on one line, with what it is.
func tell(err error) string {
	kind := "failed"
	if errors.Is(err, spool.ErrDamaged) {
		kind = "damaged"
	}
	return kind + " " + strconv.QuoteToASCII(err.Error())
}

func (s server) show(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		answerError(w, http.StatusBadRequest, fmt.Errorf("%w %q is not a number", ErrSelection, r.PathValue("id")))
		return
	}
	d, err := s.letters.Show(r.Context(), r.URL.Query().Get("org"), id)
	if err != nil {
		answerError(w, statusOf(err), err)
		return
	}
	answer(w, http.StatusOK, d)
}

// maxBody is far above a Selection of maxIDs numbers.
const maxBody = 1 << 20

// changed is the answer to a change. An error may come with some changed.
type changed struct {
	Changed int    `json:"changed"`
	Error   string `json:"error,omitempty"`
	Damaged bool   `json:"damaged,omitempty"` // the error is about damaged letters: all the others were dealt with
}

func (s server) change(w http.ResponseWriter, r *http.Request) {
	act := Act(r.PathValue("act"))
	if act != Retry && act != Drop {
		answerError(w, http.StatusNotFound, fmt.Errorf("%q: a dead letter can be retried or dropped", act))
		return
	}
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		answerError(w, http.StatusUnsupportedMediaType, fmt.Errorf("the Content-Type is %q: must be application/json", kind))
		return
	}
	selection, err := readSelection(http.MaxBytesReader(w, r.Body, maxBody))
	if err == nil {
		err = selection.Check()
	}
	if err != nil {
		answerError(w, http.StatusBadRequest, err)
		return
	}
	n, err := s.letters.Change(r.Context(), act, selection)
	if err != nil {
		answer(w, statusOf(err), changed{n, err.Error(), errors.Is(err, spool.ErrDamaged)})
		return
	}
	answer(w, http.StatusOK, changed{Changed: n})
}

// readSelection reads one JSON object of known fields: a mistyped one must not
// widen a selection.
func readSelection(r io.Reader) (s Selection, err error) {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return s, fmt.Errorf("%w The body cannot be read: %w", ErrSelection, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("%w The body has more than one JSON object", ErrSelection)
	}
	return s, nil
}

func statusOf(err error) int {
	switch {
	case errors.Is(err, ErrSelection):
		return http.StatusBadRequest
	case errors.Is(err, spool.ErrNoLetter):
		return http.StatusNotFound
	case errors.Is(err, spool.ErrClosed), errors.Is(err, ErrDraining):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// ErrDraining refuses a retry while the daemon shuts down.
var ErrDraining = errors.New("the daemon is shutting down")

func answerError(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"error": cmp.Or(err.Error(), http.StatusText(status))})
}

// answer writes JSON. A client that has gone hears nothing.
func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false) // a message shows as it was sent
	_ = out.Encode(v)
}
