package orgsim

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Ledger is what an org has seen and stored, all of one moment.
type Ledger struct {
	Totals
	Latency Latency         `json:"latency"`
	Calls   map[string]Call `json:"calls,omitempty"` // by vendorCallKey
}

// Totals are an org's sums.
type Totals struct {
	Requests    map[Endpoint]map[string]uint64 `json:"requests"`    // by endpoint and HTTP status; "cut": the connection was cut
	APIRequests uint64                         `json:"apiRequests"` // those that count against the org's daily limit

	Entries         uint64 `json:"entries"`         // calls in transcript requests, whatever became of them
	Messages        uint64 `json:"messages"`        // the same of messages
	LargestEntries  int    `json:"largestEntries"`  // most entries of one request
	LargestMessages int    `json:"largestMessages"` // most messages of one entry

	MaxInFlight        int `json:"maxInFlight"`        // most requests at once
	MaxInFlightPerCall int `json:"maxInFlightPerCall"` // most transcript requests of one call at once; a client that gave up may have one more for a moment

	Stored  uint64            `json:"stored"`  // messages that the agent saw
	Repeats uint64            `json:"repeats"` // messages whose id the call had already
	Dropped map[string]uint64 `json:"dropped"` // messages that were accepted and not stored: early, ended
	Refused map[string]uint64 `json:"refused"` // messages that were refused: invalid, unknown, child, paused, ended, duplicate, exhausted
	Unseen  uint64            `json:"unseen"`  // events that slow watchers of the feed missed
}

// Latency is how long after its endTime a message was stored, over all
// messages. The quantiles are at most 3 % too high.
type Latency struct {
	Messages uint64  `json:"messages"`
	MeanMS   float64 `json:"meanMs"`
	P50MS    int64   `json:"p50Ms"`
	P99MS    int64   `json:"p99Ms"`
	MaxMS    int64   `json:"maxMs"`
}

// Call is what an org knows of a call.
type Call struct {
	VoiceCallID string         `json:"voiceCallId"`
	Parent      string         `json:"parent,omitempty"` // the key that its transcripts belong under; empty: its own
	Start       time.Time      `json:"start,omitzero"`
	End         time.Time      `json:"end,omitzero"`
	Closed      bool           `json:"closed"`
	Held        bool           `json:"held"`
	Paused      bool           `json:"paused"`
	Updates     int            `json:"updates"` // of updateVoiceCall; Salesforce: not more than one
	Repeats     int            `json:"repeats"`
	Dropped     map[string]int `json:"dropped,omitempty"`
	MaxInFlight int            `json:"maxInFlight"`
	MessageIDs  []string       `json:"messageIds"`         // in the order of arrival
	Messages    []Message      `json:"messages,omitempty"` // the same; none with Config.IDsOnly
}

// Message is a stored transcript message. Times are UTC milliseconds since the
// epoch.
type Message struct {
	MessageID     string `json:"messageId"`
	ParticipantID string `json:"participantId"` // as Salesforce keeps it
	SenderType    string `json:"senderType"`
	Content       string `json:"content"`
	StartTime     int64  `json:"startTime"`
	EndTime       int64  `json:"endTime"`
	StoredAt      int64  `json:"storedAt"`
}

func newTotals() Totals {
	return Totals{
		Requests: map[Endpoint]map[string]uint64{},
		Dropped:  map[string]uint64{},
		Refused:  map[string]uint64{},
	}
}

func (t *Totals) answered(endpoint Endpoint, outcome string) {
	if t.Requests[endpoint] == nil {
		t.Requests[endpoint] = map[string]uint64{}
	}
	t.Requests[endpoint][outcome]++
}

func (t *Totals) received(entries []*entry) {
	t.Entries += uint64(len(entries))
	t.LargestEntries = max(t.LargestEntries, len(entries))
	for _, e := range entries {
		t.Messages += uint64(len(e.messages))
		t.LargestMessages = max(t.LargestMessages, len(e.messages))
	}
}

func (t *Totals) clone() Totals {
	out := *t
	out.Dropped, out.Refused = maps.Clone(t.Dropped), maps.Clone(t.Refused)
	out.Requests = make(map[Endpoint]map[string]uint64, len(t.Requests))
	for endpoint, outcomes := range t.Requests {
		out.Requests[endpoint] = maps.Clone(outcomes)
	}
	return out
}

// Ledger is a snapshot. The messages in it are shared with the org and must
// not be changed; the org itself only ever appends.
func (o *Org) Ledger() Ledger {
	o.mu.Lock()
	defer o.mu.Unlock()
	led := Ledger{Totals: o.totals.clone(), Latency: o.latency.latency(), Calls: make(map[string]Call, len(o.calls))}
	for key, c := range o.calls {
		led.Calls[key] = c.snapshot()
	}
	return led
}

// totalsOnly is Ledger without the calls.
func (o *Org) totalsOnly() Ledger {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Ledger{Totals: o.totals.clone(), Latency: o.latency.latency()}
}

func (c *call) snapshot() Call {
	return Call{
		VoiceCallID: c.id, Parent: c.parent, Start: c.start, End: c.end,
		Closed: c.closed, Held: c.held, Paused: c.paused,
		Updates: c.updates, Repeats: c.repeats, Dropped: maps.Clone(c.dropped), MaxInFlight: c.maxInFlight,
		MessageIDs: slices.Clip(c.ids), Messages: slices.Clip(c.messages),
	}
}

// Comparison is the difference between what should have been stored and what
// was.
type Comparison struct {
	Wanted     int      `json:"wanted"`
	Lost       int      `json:"lost"`       // wanted and not stored
	Duplicated int      `json:"duplicated"` // stored once more, each time
	OutOfOrder int      `json:"outOfOrder"` // stored after a message of the call that should have come later
	Unexpected int      `json:"unexpected"` // stored and not wanted
	Examples   []string `json:"examples,omitempty"`
}

// Clean says whether there is no difference.
func (c Comparison) Clean() bool {
	return c.Lost+c.Duplicated+c.OutOfOrder+c.Unexpected == 0
}

// Compare holds the ledger against the messageIds that each call should have,
// in the order in which they were said. At most ten differences are told as
// examples, calls in the order of their keys.
func (led Ledger) Compare(want map[string][]string) Comparison {
	var cmp Comparison
	keys := slices.Collect(maps.Keys(want))
	for key := range led.Calls {
		if _, ok := want[key]; !ok {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		cmp.compare(key, want[key], led.Calls[key].MessageIDs)
	}
	return cmp
}

func (c *Comparison) compare(key string, want, got []string) {
	rank := make(map[string]int, len(want))
	for i, id := range want {
		rank[id] = i
	}
	latest, stored := -1, make(map[string]bool, len(got))
	for _, id := range got {
		i, wanted := rank[id]
		switch {
		case stored[id]:
			c.note(&c.Duplicated, "call %s: %s stored again", key, id)
		case !wanted:
			c.note(&c.Unexpected, "call %s: %s was not sent", key, id)
		case i < latest:
			c.note(&c.OutOfOrder, "call %s: %s stored after %s", key, id, want[latest])
		}
		if stored[id] = true; wanted {
			latest = max(latest, i)
		}
	}
	c.Wanted += len(want)
	for _, id := range want {
		if !stored[id] {
			c.note(&c.Lost, "call %s: %s not stored", key, id)
		}
	}
}

func (c *Comparison) note(count *int, format string, args ...any) {
	if *count++; len(c.Examples) < 10 {
		c.Examples = append(c.Examples, fmt.Sprintf(format, args...))
	}
}
