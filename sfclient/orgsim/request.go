package orgsim

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Endpoint names one of the org's doors; the wrapper's by the last part of
// their path.
type Endpoint string

// The endpoints.
const (
	Token                        Endpoint = "token"
	Limits                       Endpoint = "limits"
	CreateVoiceCall              Endpoint = "createVoiceCall"
	UpdateVoiceCall              Endpoint = "updateVoiceCall"
	ExecuteOmniFlow              Endpoint = "executeOmniFlow"
	ClearRouting                 Endpoint = "clearRouting"
	CreateTranscriptMessage      Endpoint = "createTranscriptMessage"
	CreateBulkTranscriptMessages Endpoint = "createBulkTranscriptMessages"

	AnyEndpoint Endpoint = ""      // in a plan: any of the wrapper's six
	elsewhere   Endpoint = "other" // a path that the org does not have
)

const (
	tokenPath   = "/services/oauth2/token"
	wrapperPath = "/services/apexrest/cnxscv/voice/v1/"
	dataPath    = "/services/data/"
	viewsPath   = "/orgsim/"
)

// wrapper says whether the endpoint is one of the wrapper's six.
func (e Endpoint) wrapper() bool {
	return slices.Contains(Endpoints()[2:], e)
}

// transcript says whether the endpoint takes transcript messages.
func (e Endpoint) transcript() bool {
	return e == CreateTranscriptMessage || e == CreateBulkTranscriptMessages
}

// Endpoints lists the org's endpoints.
func Endpoints() []Endpoint {
	return []Endpoint{
		Token, Limits, CreateVoiceCall, UpdateVoiceCall, ExecuteOmniFlow,
		ClearRouting, CreateTranscriptMessage, CreateBulkTranscriptMessages,
	}
}

// ServeHTTP answers as the org would. Paths, all else being 404:
//
//	POST /services/oauth2/token                          the token
//	POST /services/apexrest/cnxscv/voice/v1/{endpoint}   the wrapper's six
//	GET  /services/data/v{n}.0/limits                    DailyApiRequests
//
// and for loopback clients alone, of the simulation itself:
//
//	GET  /orgsim/ledger                  the Ledger; with ?calls=false the totals alone
//	GET  /orgsim/feed                    every message as the agent sees it, as server-sent events
//	POST /orgsim/plan?endpoint=          body: faults as ParsePlan reads them
//	POST /orgsim/down                    body: silent or unavailable
//	POST /orgsim/up
//	POST /orgsim/expire-tokens
//	POST /orgsim/calls/{key}/{action}    create, hold, unhold, pause, resume, end
//
// A feed ends with its client: http.Server.Shutdown waits for it, Close does not.
func (o *Org) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if strings.HasPrefix(path, viewsPath) {
		o.views.ServeHTTP(w, r)
		return
	}
	if path == tokenPath {
		o.serveToken(w, r)
		return
	}
	endpoint := elsewhere
	if name, ok := strings.CutPrefix(path, wrapperPath); ok && Endpoint(name).wrapper() {
		endpoint = Endpoint(name)
	} else if version, ok := strings.CutPrefix(path, dataPath); ok && isLimits(version) {
		endpoint = Limits
	}
	o.serveAPI(w, r, endpoint)
}

// isLimits says whether a path below dataPath is v63.0/limits, of any version.
func isLimits(path string) bool {
	version, rest, _ := strings.Cut(path, "/")
	return strings.HasPrefix(version, "v") && strings.HasSuffix(version, ".0") && rest == "limits"
}

// visit is one request on its way through the org.
type visit struct {
	endpoint Endpoint
	body     []byte
	fields   map[string]json.RawMessage // the body; nil where it is not a JSON object
	problem  error                      // why it is not
	entries  []*entry                   // of the transcript endpoints
	whole    []string                   // what is wrong with them together
	keys     []string                   // the calls whose lanes it is in
	random   *rand.Rand                 // this request's own, so that no other's order matters
	fault    Fault
	delay    time.Duration
	usage    string // Sforce-Limit-Info
}

func (o *Org) serveAPI(w http.ResponseWriter, r *http.Request, endpoint Endpoint) {
	body, tooBig := readBody(r)
	v := o.arrive(endpoint, body)
	rep, out := o.meetOutage(r.Context())
	if !out {
		rep = o.work(r, v, tooBig)
		rep.usage = v.usage
	}
	o.leave(v, rep)
	rep.write(w)
}

// arrive reads a request, enters the lanes of its calls and draws what will
// happen to it.
func (o *Org) arrive(endpoint Endpoint, body []byte) *visit {
	v := &visit{endpoint: endpoint, body: body}
	if endpoint.wrapper() {
		v.problem = json.Unmarshal(body, &v.fields)
	}
	if endpoint.transcript() {
		v.read()
	}

	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight++
	o.totals.MaxInFlight = max(o.totals.MaxInFlight, o.inFlight)
	for _, key := range v.keys {
		l := o.lanes[key]
		l.now++
		l.peak = max(l.peak, l.now)
		o.lanes[key] = l
		o.totals.MaxInFlightPerCall = max(o.totals.MaxInFlightPerCall, l.now)
	}
	o.totals.received(v.entries)
	if o.outage == "" {
		o.draw(v)
	}
	return v
}

// draw numbers a request and draws its answer time and its fault. The caller
// holds the lock.
func (o *Org) draw(v *visit) {
	v.delay = min(o.cfg.AnswerTime.Median, maxAnswer)
	if v.endpoint.wrapper() {
		o.numbered++
		v.random = rand.New(rand.NewPCG(o.cfg.Seed, o.numbered))
		v.delay = o.cfg.AnswerTime.draw(v.random)
	}
	v.fault = o.nextFault(v.endpoint, v.random)
	if v.fault.Kind == Slow {
		v.delay += v.fault.Delay
	}
}

// leave counts a reply and leaves the lanes. It comes before the answer is
// written: a client that has read it may send the call's next request at once.
func (o *Org) leave(v *visit, rep reply) {
	o.mu.Lock()
	o.inFlight--
	for _, key := range v.keys {
		l := o.lanes[key]
		if c := o.calls[key]; c != nil {
			c.maxInFlight = max(c.maxInFlight, l.peak)
		}
		if l.now--; l.now == 0 {
			delete(o.lanes, key)
		} else {
			o.lanes[key] = l
		}
	}
	o.totals.answered(v.endpoint, rep.outcome())
	o.mu.Unlock()
	if rep.refusal != "" {
		o.log.Debug("request refused", "endpoint", string(v.endpoint), "status", rep.outcome(), "reason", rep.refusal)
	}
}

// meetOutage answers for an org that is down.
func (o *Org) meetOutage(ctx context.Context) (reply, bool) {
	o.mu.Lock()
	outage, back := o.outage, o.back
	o.mu.Unlock()
	switch outage {
	case Silent:
		select {
		case <-ctx.Done():
		case <-back:
		}
		return reply{cut: true}, true
	case Unavailable:
		return problem(503, "SERVER_UNAVAILABLE", "The server is currently unavailable."), true
	}
	return reply{}, false
}

// work takes a request from the token's check to its answer.
func (o *Org) work(r *http.Request, v *visit, tooBig bool) reply {
	early, refused := o.admit(r, v)
	o.wait(r.Context(), v.delay)
	if refused {
		return early
	}
	if rep, ok := v.fault.instead(); ok {
		return rep
	}
	rep := o.answer(r, v, tooBig)
	rep.cut = v.fault.Kind == CutAfter
	return rep
}

// admit checks what Salesforce checks before the wrapper's code runs, and
// takes the request from the budget.
func (o *Org) admit(r *http.Request, v *visit) (reply, bool) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case !o.session(r, now):
		return sessionExpired(), true
	case o.cfg.DailyLimit > 0 && o.budget.count(now) >= o.cfg.DailyLimit:
		o.setUsage(v, now)
		return overBudget(), true
	case o.long >= maxLong:
		return problem(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."), true
	}
	if !v.fault.atTheEdge() {
		o.budget.add(now)
		o.totals.APIRequests++
	}
	o.setUsage(v, now)
	if o.cfg.RateLimit > 0 && v.endpoint.transcript() {
		if o.rate.count(now) >= o.cfg.RateLimit {
			return tooMany(0), true
		}
		o.rate.add(now)
	}
	return reply{}, false
}

// atTheEdge says whether a fault keeps a request from being counted as one of
// the day's API requests.
func (f Fault) atTheEdge() bool {
	switch f.Kind {
	case Expired, TotalRequests, LongRequests, BadGateway, Overloaded, CutBefore, HTML:
		return true
	}
	return false
}

func (o *Org) setUsage(v *visit, now time.Time) {
	if o.cfg.LimitInfo && o.cfg.DailyLimit > 0 {
		v.usage = fmt.Sprintf("api-usage=%d/%d", o.budget.count(now), o.cfg.DailyLimit)
	}
}

// wait lets the answer time pass, or less where the client gives up.
func (o *Org) wait(ctx context.Context, d time.Duration) {
	sleep(ctx, min(d, longRequest))
	if d < longRequest {
		return
	}
	o.lengthy(1)
	sleep(ctx, d-longRequest)
	o.lengthy(-1)
}

func (o *Org) lengthy(n int) {
	o.mu.Lock()
	o.long += n
	o.mu.Unlock()
}

func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// answer is the org's own answer to an admitted request.
func (o *Org) answer(r *http.Request, v *visit, tooBig bool) reply {
	switch v.endpoint {
	case elsewhere:
		return problem(404, "NOT_FOUND", "The requested resource does not exist")
	case Limits:
		return o.answerLimits(r)
	}
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case r.Method != http.MethodPost:
		return problem(405, "METHOD_NOT_ALLOWED", "HTTP Method '"+r.Method+"' not allowed. Allowed are POST")
	case err != nil || media != "application/json":
		return problem(415, "UNSUPPORTED_MEDIA_TYPE", "Content-Type must be application/json")
	case tooBig:
		return problem(413, "REQUEST_TOO_LARGE", "Maximum size of request is 6 MB")
	case v.problem != nil || v.fields == nil:
		return problem(400, "JSON_PARSER_ERROR", "The body is not a JSON object")
	}
	body := &object{fields: v.fields}
	if o.checkNames(body); len(body.problems) > 0 {
		return o.broken(400, body.problems...)
	}
	if v.endpoint.transcript() {
		return o.answerTranscript(v)
	}
	return o.answerVoiceCall(v.endpoint, body)
}

// checkNames checks the two names that every request to the wrapper carries.
func (o *Org) checkNames(body *object) {
	center, cert := body.text("callCenterDevName"), body.text("certDevName")
	if center != "" && o.cfg.CallCenter != "" && center != o.cfg.CallCenter {
		body.note("callCenterDevName", "names no call center of this org")
	}
	if cert != "" && o.cfg.Cert != "" && cert != o.cfg.Cert {
		body.note("certDevName", "names no certificate of this org")
	}
}

// answerLimits tells the rolling day's API requests; an org without a limit
// tells Salesforce's five million of a full sandbox.
func (o *Org) answerLimits(r *http.Request) reply {
	if r.Method != http.MethodGet {
		return problem(405, "METHOD_NOT_ALLOWED", "HTTP Method '"+r.Method+"' not allowed. Allowed are GET")
	}
	limit := o.cfg.DailyLimit
	if limit <= 0 {
		limit = 5_000_000
	}
	o.mu.Lock()
	used := o.budget.count(time.Now())
	o.mu.Unlock()
	type allowance struct{ Max, Remaining int }
	return jsonReply(200, map[string]allowance{"DailyApiRequests": {limit, max(0, limit-used)}})
}
