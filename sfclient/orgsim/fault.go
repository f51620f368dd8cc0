package orgsim

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Kind names a fault, as text on a command line does.
type Kind string

// The faults. Unless it says otherwise, a fault stores nothing. Those that a
// bulk request alone can have (the 207s) strike a single transcript message
// with the entry's status in place of 207, and leave other endpoints alone.
const (
	OK            Kind = "ok"             // no fault: in a plan, one request that fares well
	Expired       Kind = "401"            // INVALID_SESSION_ID, though the token is good
	Forbidden     Kind = "403"            // no permission
	TotalRequests Kind = "403-total"      // REQUEST_LIMIT_EXCEEDED, TotalRequests
	LongRequests  Kind = "403-concurrent" // REQUEST_LIMIT_EXCEEDED, ConcurrentPerOrgLongTxn
	TooMany       Kind = "429"            // the rate limit; with RetryAfter, its header
	ApexError     Kind = "500"            // an exception that the wrapper did not catch
	BadGateway    Kind = "502"
	Overloaded    Kind = "503"           // SERVER_UNAVAILABLE; with RetryAfter, its header
	Refused       Kind = "success-false" // the envelope with success:false and not a word more
	Exhausted     Kind = "207-exhausted" // RESOURCE_EXHAUSTED, status 400, for some calls of a request; the rest is stored
	PausedEntry   Kind = "207-paused"    // 409 paused for some calls of a request; the rest is stored
	Slow          Kind = "slow"          // all is well, but Delay is added to the answer time
	CutBefore     Kind = "cut-before"    // the connection is cut
	CutAfter      Kind = "cut-after"     // the request is carried out, then the connection is cut: the answer is lost
	HTML          Kind = "html"          // 200 and a page for people
)

// kinds lists every fault, in the order in which random faults are drawn.
func kinds() []Kind {
	return []Kind{
		OK, Expired, Forbidden, TotalRequests, LongRequests, TooMany, ApexError, BadGateway,
		Overloaded, Refused, Exhausted, PausedEntry, Slow, CutBefore, CutAfter, HTML,
	}
}

// Fault is one thing that goes wrong with one request.
type Fault struct {
	Kind       Kind
	Delay      time.Duration // of Slow
	RetryAfter time.Duration // of TooMany and Overloaded; sent in whole seconds, rounded up; 0: no header
	Calls      int           // of Exhausted and PausedEntry: the first so many calls of a request; 0: some, at random, and of an exhausted call perhaps only the last messages
}

// String is the fault as ParsePlan reads it.
func (f Fault) String() string {
	switch {
	case f.Kind == Slow:
		return fmt.Sprintf("%s:%v", f.Kind, f.Delay)
	case f.RetryAfter > 0:
		return fmt.Sprintf("%s:%v", f.Kind, f.RetryAfter)
	case f.Calls > 0:
		return fmt.Sprintf("%s:%d", f.Kind, f.Calls)
	}
	return string(cmp.Or(f.Kind, OK))
}

// Rate is how often a fault happens at random.
type Rate struct {
	Fault
	Share float64 // of all requests, 0…1
}

// Rates are the random faults. A request has at most one; together their
// shares should not exceed 1. It reads and prints itself as text, see
// ParseFaults.
type Rates []Rate

// String is the form that ParseFaults reads.
func (r Rates) String() string {
	parts := make([]string, len(r))
	for i, rate := range r {
		kind, arg, _ := strings.Cut(rate.Fault.String(), ":")
		parts[i] = fmt.Sprintf("%s=%v", kind, rate.Share)
		if arg != "" {
			parts[i] += ":" + arg
		}
	}
	return strings.Join(parts, ",")
}

// UnmarshalText is ParseFaults.
func (r *Rates) UnmarshalText(text []byte) error {
	rates, err := ParseFaults(string(text))
	if err == nil {
		*r = rates
	}
	return err
}

// ParseFaults reads random faults as a command line has them: kind=share, or
// kind=share:argument, separated by commas: "500=0.01,cut-after=0.005,
// slow=0.1:2s,429=0.02:30s,207-exhausted=0.05:1". The argument is slow's
// delay, the Retry-After of 429 and 503, the number of calls of a 207. The
// empty text is no faults.
func ParseFaults(s string) (Rates, error) {
	var rates Rates
	sum := 0.0
	for part := range fields(s) {
		kind, rest, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("fault %q: want kind=share, like 500=0.01", part)
		}
		share, arg, _ := strings.Cut(rest, ":")
		fault, err := parseFault(kind, arg)
		if err != nil {
			return nil, err
		}
		rate := Rate{Fault: fault}
		if rate.Share, err = strconv.ParseFloat(share, 64); err != nil || !(rate.Share >= 0 && rate.Share <= 1) {
			return nil, fmt.Errorf("fault %q: share %q: want a number between 0 and 1", part, share)
		}
		if slices.ContainsFunc(rates, func(r Rate) bool { return r.Kind == fault.Kind }) {
			return nil, fmt.Errorf("fault %q: %s is there twice", s, kind)
		}
		sum += rate.Share
		rates = append(rates, rate)
	}
	if sum > 1+1e-9 {
		return nil, fmt.Errorf("faults %q: the shares make %v, above 1", s, sum)
	}
	return rates, nil
}

// ParsePlan reads a list of faults for Plan: "500,ok,slow:2s,429:30s".
func ParsePlan(s string) ([]Fault, error) {
	var plan []Fault
	for part := range fields(s) {
		kind, arg, _ := strings.Cut(part, ":")
		fault, err := parseFault(kind, arg)
		if err != nil {
			return nil, err
		}
		plan = append(plan, fault)
	}
	return plan, nil
}

// fields are the parts between commas, without blanks; empty ones are left out.
func fields(s string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for part := range strings.SplitSeq(s, ",") {
			if part = strings.TrimSpace(part); part != "" && !yield(part) {
				return
			}
		}
	}
}

func parseFault(kind, arg string) (Fault, error) {
	f := Fault{Kind: Kind(kind)}
	if !slices.Contains(kinds(), f.Kind) {
		return Fault{}, fmt.Errorf("fault %q is unknown: want one of %v", kind, kinds())
	}
	var err error
	switch f.Kind {
	case Slow:
		if f.Delay, err = time.ParseDuration(arg); err != nil || f.Delay <= 0 {
			return Fault{}, fmt.Errorf("fault %s: delay %q: want a duration above zero, like %s=0.1:2s", kind, arg, kind)
		}
		return f, nil
	case TooMany, Overloaded:
		if arg == "" {
			return f, nil
		}
		if f.RetryAfter, err = time.ParseDuration(arg); err != nil || f.RetryAfter <= 0 {
			return Fault{}, fmt.Errorf("fault %s: Retry-After %q: want a duration above zero, like 30s", kind, arg)
		}
		return f, nil
	case Exhausted, PausedEntry:
		if arg == "" {
			return f, nil
		}
		if f.Calls, err = strconv.Atoi(arg); err != nil || f.Calls < 1 {
			return Fault{}, fmt.Errorf("fault %s: %q: want a number of calls from 1", kind, arg)
		}
		return f, nil
	}
	if arg != "" {
		return Fault{}, fmt.Errorf("fault %s takes no argument, and has %q", kind, arg)
	}
	return f, nil
}

// draw picks at most one of the random faults.
func (r Rates) draw(random *rand.Rand) Fault {
	if len(r) == 0 {
		return Fault{}
	}
	x := random.Float64()
	for _, rate := range r {
		if x -= rate.Share; x < 0 {
			return rate.Fault
		}
	}
	return Fault{}
}

// Plan appends to what happens to the next requests to the wrapper's six
// endpoints: one fault each, first in first out, used up whatever else is
// wrong with the request. While a plan lasts no random fault is drawn. An OK
// in it is a request without fault.
func (o *Org) Plan(faults ...Fault) { o.PlanFor(AnyEndpoint, faults...) }

// PlanFor is Plan for one endpoint alone, Token among them. It comes before
// Plan's; what it does to Token is the status, the delay and the cut.
func (o *Org) PlanFor(endpoint Endpoint, faults ...Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.plans[endpoint] = append(o.plans[endpoint], faults...)
}

// nextFault is what happens to the request that has just come. The caller
// holds the lock.
func (o *Org) nextFault(endpoint Endpoint, random *rand.Rand) Fault {
	queues := []Endpoint{endpoint, AnyEndpoint}
	if !endpoint.wrapper() {
		queues = queues[:1]
	}
	for _, q := range queues {
		if plan := o.plans[q]; len(plan) > 0 {
			o.plans[q] = plan[1:]
			return plan[0]
		}
	}
	if !endpoint.wrapper() {
		return Fault{}
	}
	return o.cfg.Faults.draw(random)
}

// instead is the answer that a fault gives in place of the org's own.
func (f Fault) instead() (reply, bool) {
	switch f.Kind {
	case Expired:
		return sessionExpired(), true
	case Forbidden:
		return problem(403, "FORBIDDEN", "You do not have access to the Apex class named: VoiceRestApi"), true
	case TotalRequests:
		return overBudget(), true
	case LongRequests:
		return problem(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."), true
	case TooMany:
		return tooMany(f.RetryAfter), true
	case ApexError:
		return problem(500, "APEX_ERROR", "System.CalloutException: Read timed out\n\nClass.cnxscv.VoiceRestApi: line 1, column 1"), true
	case BadGateway:
		return page(502, "Bad Gateway"), true
	case Overloaded:
		rep := problem(503, "SERVER_UNAVAILABLE", "The server is currently unavailable.")
		rep.retryAfter = f.RetryAfter
		return rep, true
	case Refused:
		return envelope(200, nil, nil), true
	case CutBefore:
		return reply{cut: true}, true
	case HTML:
		return page(200, "We are down for maintenance."), true
	}
	return reply{}, false
}
