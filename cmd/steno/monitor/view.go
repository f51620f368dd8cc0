package monitor

import (
	"time"
)

// View is what people see of the flow, at one moment. All durations are in
// seconds.
type View struct {
	At          time.Time         `json:"at"`
	Text        bool              `json:"text"` // what is said is shown
	Verdict     Verdict           `json:"verdict"`
	Rates       Rates             `json:"rates"` // of the last ten seconds
	Latency     Latencies         `json:"latency"`
	Stages      []StageShown      `json:"stages"` // in the order of the flow
	Calls       CallsShown        `json:"calls"`
	Engines     []EngineShown     `json:"engines"`     // by dialect
	Connections []ConnectionShown `json:"connections"` // those with the worst clocks first, not all
	Rejected    []Rejection       `json:"rejected"`    // the last ones, the newest first
	Hour        *Hour             `json:"hour,omitempty"`
}

// Verdict is the answer to the question that the page is for.
type Verdict struct {
	State  string `json:"state"`           // fine, late, trouble or quiet
	Stage  string `json:"stage,omitempty"` // of late: where most of the time goes
	Reason string `json:"reason,omitempty"`
}

// The states of a Verdict.
const (
	Fine    = "fine"    // agents see speech in time
	Late    = "late"    // they do not
	Trouble = "trouble" // they do, or nobody speaks; but something is not as it should be
	Quiet   = "quiet"   // nobody has spoken for a minute
)

// What is late, as in the alerts: the 95th percentile of the last ten seconds,
// and the oldest pending utterance.
const (
	lateLatency = 2 * time.Second
	latePending = 5 * time.Second
)

// Rates are events a second.
type Rates struct {
	Accepted  float64 `json:"accepted"`
	Delivered float64 `json:"delivered"`
	Rejected  float64 `json:"rejected"`
	Requests  float64 `json:"requests"`
	Refused   float64 `json:"refused"` // of the requests
}

// Latencies are from the end of speech, by a clock put right, to Salesforce's
// acceptance.
type Latencies struct {
	Now      Latency `json:"now"` // the last ten seconds
	Minute   Latency `json:"minute"`
	Hour     Latency `json:"hour"`
	Delivery Latency `json:"delivery"` // the last minute, from the receipt on
}

// Latency is how a number of durations are spread.
type Latency struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50"`
	P95   float64 `json:"p95"`
	P99   float64 `json:"p99"`
}

// StageShown is a stage of the way: what it took of late, and what is in it.
type StageShown struct {
	Name    string  `json:"name"`
	Mean    float64 `json:"mean"`    // of the utterances accepted in the last ten seconds
	Inside  int     `json:"inside"`  // utterances, now
	Longest float64 `json:"longest"` // that one of them has been in this stage
}

// CallsShown are the calls that most need to be looked at.
type CallsShown struct {
	Active   int         `json:"active"`   // among them those that only came over HTTP
	OneSided int         `json:"oneSided"` // of them, those with a silent side
	Shown    []CallShown `json:"shown"`    // in trouble first, then the newest; not all
}

// CallShown is a call: on a line, or with all that is known of it.
type CallShown struct {
	Org      string      `json:"org,omitempty"`
	Key      string      `json:"vendorCallKey"`
	Dialect  string      `json:"dialect"`
	Age      float64     `json:"age"`
	Open     bool        `json:"open"`             // a stream of it is open
	Waiting  int         `json:"waiting"`          // utterances
	Oldest   float64     `json:"oldest,omitempty"` // of them
	Silent   string      `json:"silent,omitempty"` // customer or agent: the side that has not been heard while the other was
	Said     []SaidShown `json:"said"`             // oldest first; on a line only the last
	Partials []SaidShown `json:"partials,omitempty"`
}

// SaidShown is an utterance as the agent sees it, with its four stamps in
// milliseconds since the epoch; 0: not yet.
type SaidShown struct {
	Sender   string  `json:"sender"`         // Salesforce's sender type
	Text     string  `json:"text,omitempty"` // only where STENO_MONITOR_TEXT is on
	Spoken   int64   `json:"spoken,omitempty"`
	Received int64   `json:"received"`
	Written  int64   `json:"written,omitempty"`
	Answered int64   `json:"answered,omitempty"`
	Latency  float64 `json:"latency,omitempty"` // from the end of speech, by a clock put right, to its acceptance or until now
	Requests int     `json:"requests,omitempty"`
	Rejected string  `json:"rejected,omitempty"` // the reason
}

// EngineShown is what the engines of a dialect have in common.
type EngineShown struct {
	Dialect     string  `json:"dialect"`
	Connections int     `json:"connections"`
	Skew        float64 `json:"skew"` // by how much the worst of their clocks is behind; below 0: ahead
}

// ConnectionShown is one connection.
type ConnectionShown struct {
	Dialect string  `json:"dialect"`
	Remote  string  `json:"remote"`
	Age     float64 `json:"age"`
	Streams int     `json:"streams"`
	Heard   float64 `json:"heard"` // how long ago the last utterance came; -1: none did
	Skew    float64 `json:"skew"`
}

// Rejection is an utterance that was given up.
type Rejection struct {
	At        time.Time `json:"at"`
	Org       string    `json:"org,omitempty"`
	Call      string    `json:"vendorCallKey"`
	MessageID string    `json:"messageId"`
	Reason    string    `json:"reason"`
}

// Hour is the last hour in steps.
type Hour struct {
	Step   float64   `json:"step"`
	Begin  int64     `json:"begin"` // in seconds since the epoch
	P50    []float64 `json:"p50"`   // 0: nothing was accepted
	P95    []float64 `json:"p95"`
	P99    []float64 `json:"p99"`
	Rate   []float64 `json:"rate"` // utterances accepted by Salesforce, a second
	Stages []Series  `json:"stages"`
}

// Series is what a stage took in each step of the hour, on average.
type Series struct {
	Name string    `json:"name"`
	Mean []float64 `json:"mean"`
}
