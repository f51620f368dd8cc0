package orgsim

import (
	"fmt"
	"time"
)

// call is a VoiceCall and its conversation.
type call struct {
	id, key      string // Salesforce's id and the vendor's
	parent       string // the vendorCallKey of the first call of the conversation; empty: this is it
	start, end   time.Time
	held, paused bool
	closed       bool

	seen        map[string]struct{} // messageIds
	ids         []string            // of what is stored, in the order of arrival
	messages    []Message           // the same, unless Config.IDsOnly
	repeats     int
	updates     int
	dropped     map[string]int
	maxInFlight int
}

// CreateCall makes a call, as createVoiceCall does, and returns Salesforce's
// id of it. A zero start is a conversation without beginning: no message is
// too early for it. A key that is there already keeps its call.
func (o *Org) CreateCall(vendorCallKey string, start time.Time) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.create(vendorCallKey, "", start).id
}

// Hold puts the call's participant on hold, or takes them back. Salesforce
// stores nothing that is sent meanwhile. Unknown keys are no-ops, here and in
// Pause and End.
func (o *Org) Hold(vendorCallKey string, on bool) {
	o.change(vendorCallKey, func(c *call) { c.held = on })
}

// Pause pauses the call's recording, or resumes it. Salesforce stores nothing
// that is sent meanwhile.
func (o *Org) Pause(vendorCallKey string, on bool) {
	o.change(vendorCallKey, func(c *call) { c.paused = on })
}

// End closes the call's conversation, as updateVoiceCall without
// isActiveCall:true does: no message is stored any more.
func (o *Org) End(vendorCallKey string) {
	now := time.Now()
	o.change(vendorCallKey, func(c *call) { c.close(now) })
}

func (o *Org) change(key string, f func(*call)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.calls[key]; c != nil {
		f(c)
	}
}

func (c *call) close(end time.Time) {
	c.closed, c.end = true, end
}

// create returns the key's call, made where it is new. The caller holds the
// lock.
func (o *Org) create(key, parent string, start time.Time) *call {
	if c := o.calls[key]; c != nil {
		return c
	}
	c := &call{
		id: fmt.Sprintf("0LQ%012d", len(o.calls)+1), key: key, parent: parent, start: start,
		seen: map[string]struct{}{}, dropped: map[string]int{},
	}
	o.calls[key], o.byID[c.id] = c, c
	return c
}

// callFor is the call that a transcript is for: nil where it is unknown. The
// caller holds the lock.
func (o *Org) callFor(key string) *call {
	if c := o.calls[key]; c != nil || !o.cfg.MakeCalls {
		return c
	}
	return o.create(key, "", time.Time{})
}

// find is the call of a Salesforce id or a vendorCallKey, or nil. The caller
// holds the lock.
func (o *Org) find(ref string) *call {
	if c := o.byID[ref]; c != nil {
		return c
	}
	return o.calls[ref]
}

// store puts a message on the agent's console, unless it is a repeat or lies
// outside the conversation. It returns false where the repeat is refused. The
// caller holds the lock.
func (o *Org) store(c *call, m *message, now time.Time) bool {
	if _, repeat := c.seen[m.id]; repeat {
		c.repeats++
		o.totals.Repeats++
		if o.cfg.Duplicates != StoreTwice {
			return o.cfg.Duplicates == Ignore
		}
	}
	if reason := o.outside(c, m); reason != "" {
		c.dropped[reason]++
		o.totals.Dropped[reason]++
		return true
	}
	stored := Message{
		MessageID: m.id, ParticipantID: m.storedParticipant(c.key), SenderType: m.sender,
		Content: m.content, StartTime: m.start, EndTime: m.end, StoredAt: now.UnixMilli(),
	}
	c.seen[m.id] = struct{}{}
	c.ids = append(c.ids, m.id)
	if !o.cfg.IDsOnly {
		c.messages = append(c.messages, stored)
	}
	o.totals.Stored++
	o.latency.add(stored.StoredAt - stored.EndTime)
	o.show(c.key, stored)
	return true
}

// outside says why a message is accepted and not stored: Salesforce creates a
// transcript only "if the timestamp of the transcript is between the start and
// end times of the conversation". Empty: it is inside.
func (o *Org) outside(c *call, m *message) string {
	switch {
	case c.closed:
		return "ended"
	case !c.start.IsZero() && m.start < c.start.Add(-max(o.cfg.Skew, 0)).UnixMilli():
		return "early"
	}
	return ""
}
