package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/sfclient"
)

// NewClient returns the client of the org that the settings name.
func (s *Settings) NewClient(log *slog.Logger) (*sfclient.Client, error) {
	return s.newClient(log, nil)
}

// newClient is NewClient over a transport of the caller's; nil: sfclient's own.
func (s *Settings) newClient(log *slog.Logger, over http.RoundTripper) (*sfclient.Client, error) {
	client, err := sfclient.New(sfclient.Config{
		LoginURL: s.SFLoginURL, ClientID: s.SFClientID, ClientSecret: s.SFClientSecret,
		CallCenter: s.SFCallCenter, Cert: s.SFCert, Timeout: s.SFTimeout, MaxInFlight: s.SFMaxInFlight,
		Logger: log, Transport: over,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	return client, nil
}

// The reasons for which Salesforce's answer rejects an utterance for good.
const (
	reasonInvalid = "invalid" // it names what it does not take
	reasonPaused  = "paused"  // it does not store what is said while the call is on hold or its recording paused
)

// allReasons are every reason that there is, for the metrics.
var allReasons = []string{batcher.ReasonCallEnded, batcher.ReasonRefused, batcher.ReasonUnknownCall, reasonInvalid, reasonPaused}

// sender lets the batcher speak to Salesforce: it turns requests into calls of
// the client, and the client's verdicts into outcomes.
type sender struct {
	client  *sfclient.Client
	set     *metrics.Set
	seconds *metrics.PrometheusHistogram
}

func newSender(client *sfclient.Client, set *metrics.Set) *sender {
	bounds := []float64{.005, .01, .025, .05, .075, .1, .15, .2, .25, .3, .4, .5, .75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30}
	return &sender{client, set, set.NewPrometheusHistogramExt("steno_request_seconds", bounds)}
}

// sender is the batcher's way to Salesforce: whoever may send, sends, and the
// monitor sees it.
func (p *pipeline) sender() batcher.Sender {
	var s batcher.Sender = newSender(p.client, p.set)
	if p.cfg.maySend != nil {
		s = fencedSender{s, p.cfg.maySend}
	}
	return watchedSender{s, p.monitor, &p.traces}
}

// fencedSender sends nothing while somebody else may be sending.
type fencedSender struct {
	batcher.Sender
	maySend func() error
}

// Send makes one attempt, or none: then nothing has left, and all of it waits.
func (f fencedSender) Send(ctx context.Context, r batcher.Request) batcher.Outcome {
	if err := f.maySend(); err != nil {
		return failed(r, fmt.Errorf("hold the request back: %w", err))
	}
	return f.Sender.Send(ctx, r)
}

// Send makes one attempt.
func (s *sender) Send(ctx context.Context, r batcher.Request) batcher.Outcome {
	begun := time.Now()
	answer, err := s.post(ctx, r)
	s.seconds.UpdateDuration(begun)
	var o batcher.Outcome
	if err != nil {
		o = failed(r, err)
	} else {
		o = answered(r, answer)
	}
	if limit, known := s.client.Limit(); known {
		o.Usage = batcher.Usage(limit)
	}
	s.count(r, o, err)
	return o
}

func (s *sender) post(ctx context.Context, r batcher.Request) (*sfclient.Answer, error) {
	if r.Single {
		e := r.Entries[0]
		return s.client.SendMessage(ctx, e.Call, e.Utterances[0].Message)
	}
	entries, all := make([]sfclient.RawEntry, len(r.Entries)), make([][]byte, 0, r.Messages())
	for i, e := range r.Entries {
		from := len(all)
		for _, u := range e.Utterances {
			all = append(all, u.Message)
		}
		entries[i] = sfclient.RawEntry{VendorCallKey: e.Call, Messages: all[from:]}
	}
	return s.client.SendBulk(ctx, entries)
}

// answered is the outcome of a request that was accepted, perhaps not whole.
func answered(r batcher.Request, a *sfclient.Answer) batcher.Outcome {
	o := batcher.Outcome{Written: a.Written, Answered: a.Answered, Results: make([]batcher.Result, len(r.Entries))}
	for i, e := range r.Entries {
		refusal := a.Entry(e.Call)
		if refusal == nil {
			o.Results[i] = batcher.Result{Verdict: batcher.Deliver}
			continue
		}
		result, trouble := judge(refusal)
		result.Only = named(e, refusal.IDs) // Salesforce has stored what it does not name
		o.Results[i], o.Err = result, refusal
		o.Trouble, o.Wait = max(o.Trouble, trouble), max(o.Wait, refusal.RetryAfter)
	}
	return o
}

// failed is the outcome of a request of which nothing was accepted.
func failed(r batcher.Request, err error) batcher.Outcome {
	o := batcher.Outcome{Answered: time.Now(), Err: err, Results: make([]batcher.Result, len(r.Entries))}
	refusal, ok := errors.AsType[*sfclient.Error](err)
	if !ok {
		o.Trouble = batcher.Down
		fill(o.Results, batcher.Result{Verdict: batcher.Retry})
		return o
	}
	o.Wait, o.Written = refusal.RetryAfter, refusal.Written
	result, trouble := judge(refusal)
	o.Trouble = trouble
	fill(o.Results, result)
	if len(refusal.IDs) > 0 && result.Verdict == batcher.Reject {
		rejectNamed(r, o.Results, refusal.IDs)
	}
	return o
}

// rejectNamed lets a rejection cost only the messages that it names. The rest
// of the request goes again: nobody documents whether it was stored. Where the
// rejection names nothing of the request, nobody knows what it means.
func rejectNamed(r batcher.Request, results []batcher.Result, ids []string) {
	found, words := false, results[0].Words
	for i, e := range r.Entries {
		if only := named(e, ids); len(only) > 0 {
			results[i].Only, results[i].Others, results[i].Ambiguous, found = only, batcher.Retry, true, true
		} else {
			results[i] = batcher.Result{Verdict: batcher.Retry, Ambiguous: true}
		}
	}
	if !found {
		fill(results, batcher.Result{Verdict: batcher.Suspect, Ambiguous: true, Words: words})
	}
}

// named are those of the ids that are the entry's.
func named(e batcher.Entry, ids []string) []string {
	var only []string
	for _, u := range e.Utterances {
		if slices.Contains(ids, u.MessageID) {
			only = append(only, u.MessageID)
		}
	}
	return only
}

func fill(results []batcher.Result, r batcher.Result) {
	for i := range results {
		results[i] = r
	}
}

// judge turns a refusal into what is to be done with what it refuses, and into
// what it says of the whole org.
func judge(e *sfclient.Error) (batcher.Result, batcher.Trouble) {
	result, trouble := decide(e)
	result.Words = wordsOf(e)
	return result, trouble
}

// wordsOf are the status and the code of a refusal and Salesforce's own words.
func wordsOf(e *sfclient.Error) string {
	var head []string
	if e.Status != 0 {
		head = append(head, strconv.Itoa(e.Status))
	}
	if e.Code != "" {
		head = append(head, e.Code)
	}
	all := strings.Join(head, " ")
	if len(e.Messages) > 0 {
		all += ": " + strings.Join(e.Messages, "; ")
	}
	return all
}

func decide(e *sfclient.Error) (batcher.Result, batcher.Trouble) {
	retry := batcher.Result{Verdict: batcher.Retry, Ambiguous: e.Ambiguous}
	switch e.Verdict() {
	case sfclient.Throttle:
		return retry, batcher.Throttled
	case sfclient.Crowd:
		return retry, batcher.Crowded
	case sfclient.Park:
		return retry, batcher.Parked
	case sfclient.Hold:
		return retry, batcher.Barred
	case sfclient.Paused:
		return batcher.Result{Verdict: batcher.Reject, Reason: reasonPaused}, batcher.None
	case sfclient.Closed:
		return batcher.Result{Verdict: batcher.Reject, Reason: batcher.ReasonCallEnded}, batcher.None
	case sfclient.Missing:
		return batcher.Result{Verdict: batcher.NotYet}, batcher.None
	case sfclient.Split: // the wrapper does not document whether it stores the rest
		return batcher.Result{Verdict: batcher.Suspect, Ambiguous: true}, batcher.None
	case sfclient.Reject:
		return batcher.Result{Verdict: batcher.Reject, Reason: reasonInvalid}, batcher.None
	default:
		if e.Status == http.StatusInternalServerError { // an exception in Salesforce may be this request's own doing
			return batcher.Result{Verdict: batcher.Doubt, Ambiguous: e.Ambiguous}, batcher.None
		}
		return retry, batcher.Down
	}
}

// count books the request under its endpoint and what came of it.
func (s *sender) count(r batcher.Request, o batcher.Outcome, err error) {
	endpoint, outcome := "createBulkTranscriptMessages", "accepted"
	if r.Single {
		endpoint = "createTranscriptMessage"
	}
	switch {
	case err == nil && o.Err != nil:
		outcome = "partial"
	case err != nil:
		outcome = "failed"
		if refusal, ok := errors.AsType[*sfclient.Error](err); ok {
			outcome = refusal.Verdict().String()
		}
	}
	s.set.GetOrCreateCounter(`steno_requests_total{endpoint="` + endpoint + `",outcome="` + outcome + `"}`).Inc()
}
