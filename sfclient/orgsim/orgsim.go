// Package orgsim is a simulated Salesforce org with the Service Cloud Voice
// API wrapper installed: a whole server in one http.Handler, for tests, the
// demo and load runs.
//
//	engines → ingest → spool → batcher → sfclient → [sfclient/orgsim]
//
// It knows the token endpoint, the wrapper's six endpoints and the limits
// resource, and it enforces Salesforce's rules as the documents tell them. It
// keeps a Ledger of everything that it stored, so that a test can prove what
// was lost, doubled or swapped, and it misbehaves on command (Plan, Down,
// ExpireTokens) or at random by rate and seed (Config.Faults).
//
// It shares no type and no constant with sfclient: a field name that was
// wrong in both would pass every test.
//
// What the documents leave open is a setting: what a repeated messageId does
// (DuplicatePolicy), how a broken rule is told (RefusalStyle), what becomes of
// a message that comes after the end (Config.RefuseEnded). Guessed without a
// setting, since nothing is documented: the words of refusals, the body of a
// 429, 413, 500 or 502, the OAuth codes for a wrong client or too many logins,
// that a second createVoiceCall of one key returns the first one's id.
//
// A request is worked on in this order: the fault is drawn, the token, the
// daily budget and the rate are checked, the answer time passes, the rules are
// checked and the messages stored, the answer goes out. A client that gives up
// during the answer time does not stop the org: what it sent is stored then.
//
// Besides Salesforce's paths the handler serves views under /orgsim/ to
// loopback clients: see Org.ServeHTTP.
package orgsim

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Org is a simulated org. All its methods may be called from many goroutines
// at once. It runs no goroutine of its own and needs no closing.
type Org struct {
	cfg   Config
	log   *slog.Logger
	views http.Handler

	mu       sync.Mutex // guards all below; never held across a wait
	numbered uint64     // requests to the wrapper's endpoints so far
	plans    map[Endpoint][]Fault
	outage   Outage
	back     chan struct{} // closed when the outage ends
	sessions map[string]time.Time
	issued   uint64 // tokens so far
	logins   window
	budget   window // API requests of a rolling day
	rate     window // transcript requests of a rolling 30 s
	long     int    // requests that have lasted 20 s or more
	lanes    map[string]lane
	inFlight int
	calls    map[string]*call // by vendorCallKey
	byID     map[string]*call // by Salesforce's voiceCallId
	totals   Totals
	latency  histogram
	watchers map[*watcher]struct{}
}

// lane counts the requests of one call that are in flight.
type lane struct{ now, peak int }

// New returns an org without calls.
func New(cfg Config) *Org {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Skew == 0 {
		cfg.Skew = defaultSkew
	}
	o := &Org{
		cfg:      cfg,
		log:      cfg.Logger,
		plans:    map[Endpoint][]Fault{},
		sessions: map[string]time.Time{},
		logins:   newWindow(time.Hour, 60),
		budget:   newWindow(24*time.Hour, 24*60),
		rate:     newWindow(rateWindow, 30),
		lanes:    map[string]lane{},
		calls:    map[string]*call{},
		byID:     map[string]*call{},
		totals:   newTotals(),
		watchers: map[*watcher]struct{}{},
	}
	o.views = o.newViews()
	return o
}

// ExpireTokens ends every session: each token given out so far is answered
// with 401 INVALID_SESSION_ID from now on.
func (o *Org) ExpireTokens() {
	o.mu.Lock()
	clear(o.sessions)
	o.mu.Unlock()
	o.log.Info("tokens expired")
}

// Down takes the org down until Up is called: every request to Salesforce's
// paths meets the outage, and nothing is stored. Requests that are already
// being worked on are finished.
func (o *Org) Down(how Outage) {
	o.mu.Lock()
	o.outage = how
	if o.back == nil {
		o.back = make(chan struct{})
	}
	o.mu.Unlock()
	o.log.Info("org down", "outage", string(how))
}

// Up ends an outage. Connections that a Silent org has kept waiting are cut:
// what they carried is not stored.
func (o *Org) Up() {
	o.mu.Lock()
	if o.back != nil {
		close(o.back)
	}
	o.outage, o.back = "", nil
	o.mu.Unlock()
	o.log.Info("org up")
}

// Outage is a way of being down.
type Outage string

// The outages.
const (
	Silent      Outage = "silent"      // takes connections and requests, and answers none
	Unavailable Outage = "unavailable" // answers 503
)

// ParseOutage reads "silent" or "unavailable".
func ParseOutage(s string) (Outage, error) {
	switch out := Outage(s); out {
	case Silent, Unavailable:
		return out, nil
	}
	return "", fmt.Errorf("outage %q: want %s or %s", s, Silent, Unavailable)
}
