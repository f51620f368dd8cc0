package orgsim

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// entry is the messages of one call in one request, as read.
type entry struct {
	key      string
	messages []message
	problems []string // what is wrong with the entry as a whole
}

// message is one transcript message, as read.
type message struct {
	id, participant, sender, content string
	start, end                       int64 // UTC ms
	problems                         []string
}

func (e *entry) ids() []string {
	ids := make([]string, len(e.messages))
	for i := range e.messages {
		ids[i] = e.messages[i].id
	}
	return ids
}

// read takes a transcript request's entries out of its body. What it finds
// wrong it keeps, to be told when the answer is due.
func (v *visit) read() {
	body := &object{fields: v.fields}
	if v.endpoint == CreateTranscriptMessage {
		one := &entry{key: body.text("voiceCallId")}
		one.messages = []message{readMessage(body)}
		one.problems = checkKey(body, "voiceCallId", one.key)
		v.entries = []*entry{one}
	} else {
		children := body.objects("entries")
		if len(children) > maxEntries {
			body.note("entries", fmt.Sprintf("has %d voice calls, at most %d are allowed", len(children), maxEntries))
		}
		v.whole = body.problems
		for _, child := range children {
			v.entries = append(v.entries, readEntry(child))
		}
	}
	for _, e := range v.entries {
		if e.key != "" && !slices.Contains(v.keys, e.key) {
			v.keys = append(v.keys, e.key)
		}
	}
}

func readEntry(ob *object) *entry {
	e := &entry{key: ob.text("vendorCallKey")}
	messages := ob.objects("messages")
	if len(messages) > maxMessages {
		ob.note("messages", fmt.Sprintf("has %d messages, at most %d are allowed", len(messages), maxMessages))
	}
	for _, m := range messages {
		e.messages = append(e.messages, readMessage(m))
	}
	e.problems = checkKey(ob, "vendorCallKey", e.key)
	return e
}

// checkKey says what is wrong with an entry as a whole.
func checkKey(ob *object, field, key string) []string {
	if isSalesforceID(key) {
		ob.note(field, "can't be a Salesforce voiceCallId, it is the vendorCallKey")
	}
	return ob.problems
}

// readMessage reads a message's six fields, all of them required.
func readMessage(ob *object) message {
	own := &object{fields: ob.fields, path: ob.path}
	m := message{
		id:          own.text("messageId"),
		participant: own.text("participantId"),
		sender:      own.text("senderType"),
		content:     own.text("content"),
		start:       own.millis("startTime"),
		end:         own.millis("endTime"),
	}
	if len(own.problems) == 0 && m.end < m.start {
		own.note("endTime", "is before startTime")
	}
	switch m.sender {
	case "", "END_USER", "VIRTUAL_AGENT", "SUPERVISOR", "EXTERNAL_USER":
	case "HUMAN_AGENT":
		if m.participant != "" && !isUserID(m.participant) {
			own.note("participantId", "of a HUMAN_AGENT must be a Salesforce user id of 15 or 18 characters that starts with 005")
		}
	default:
		own.note("senderType", "must be END_USER, EXTERNAL_USER, HUMAN_AGENT, SUPERVISOR or VIRTUAL_AGENT")
	}
	m.problems = own.problems
	return m
}

// storedParticipant is the participantId that Salesforce keeps: it overwrites
// those of END_USER, VIRTUAL_AGENT and SUPERVISOR with the key and the type.
func (m *message) storedParticipant(key string) string {
	switch m.sender {
	case "END_USER", "VIRTUAL_AGENT", "SUPERVISOR":
		return key + m.sender
	}
	return m.participant
}

// verdict is what became of one call's messages in a request.
type verdict struct {
	key    string
	status int // 202, or why not
	refuse []string
	causes []string
}

func (vd *verdict) reject(status int, cause string, ids ...string) {
	if vd.status == 202 {
		vd.status = status
	}
	vd.refuse = append(vd.refuse, ids...)
	if !slices.Contains(vd.causes, cause) {
		vd.causes = append(vd.causes, cause)
	}
}

// text is the verdict in the words of Salesforce's own answers.
func (vd *verdict) text() string {
	switch {
	case vd.status == 202:
		return "Successfully Processed Transcripts"
	case vd.status == 409:
		return causePaused
	}
	return fmt.Sprintf("Error Processing Transcript with Id(s) [%s]. Error: %s",
		strings.Join(vd.refuse, ", "), strings.Join(vd.causes, "; "))
}

// Why messages are refused.
const (
	causePaused    = "Transcription paused for participant"
	causeExhausted = "io.grpc.StatusRuntimeException: RESOURCE_EXHAUSTED: Rate limit exceeded"
	causeUnknown   = "no conversation was found for the vendorCallKey"
	causeEnded     = "the conversation is closed"
	causeDuplicate = "the messageId is not unique for the conversation"
	causeChild     = "the vendorCallKey is not that of the first voice call of the conversation"
	causeSpeakers  = "messages of more than one participant"
)

// answerTranscript checks the form of what was read, stores what may be
// stored, and tells the verdicts.
func (o *Org) answerTranscript(v *visit) reply {
	if len(v.whole) > 0 {
		o.countRefused("invalid", v.messages())
		return o.broken(400, v.whole...)
	}
	o.checkSpeakers(v)
	if o.cfg.Refusal != PerEntry || v.endpoint == CreateTranscriptMessage {
		if problems := v.problems(); len(problems) > 0 {
			o.countRefused("invalid", v.messages())
			return o.broken(400, problems...)
		}
	}
	verdicts := o.commit(v)
	failed := slices.DeleteFunc(slices.Clone(verdicts), func(vd *verdict) bool { return vd.status == 202 })
	struck := v.fault.Kind == Exhausted || v.fault.Kind == PausedEntry
	switch {
	case len(failed) == 0:
		return envelope(200, map[string]string{"result": "Accepted"}, nil)
	case v.endpoint == CreateTranscriptMessage:
		return o.broken(failed[0].status, failed[0].text())
	case o.cfg.Refusal == PerEntry || struck:
		return multiStatus(verdicts)
	}
	var errors []string
	for _, vd := range failed {
		errors = append(errors, vd.key+": "+vd.text())
	}
	return o.broken(400, errors...)
}

// multiStatus is Salesforce's own answer to a request that was taken in part.
func multiStatus(verdicts []*verdict) reply {
	type item struct {
		Key     string `json:"vendorCallKey"`
		Status  int    `json:"status"`
		Message string `json:"message"`
	}
	items := make([]item, len(verdicts))
	for i, vd := range verdicts {
		items[i] = item{vd.key, vd.status, vd.text()}
	}
	const result = "Multi-Status: A few messages were not processed"
	rep := jsonReply(207, map[string]any{
		"result":        result,
		"errorResponse": map[string]any{"errorResponseEntries": items},
	})
	rep.refusal = result
	return rep
}

func (o *Org) checkSpeakers(v *visit) {
	if !o.cfg.OneSpeaker {
		return
	}
	for _, e := range v.entries {
		for i := range e.messages {
			if e.messages[i].storedParticipant(e.key) != e.messages[0].storedParticipant(e.key) {
				e.problems = append(e.problems, causeSpeakers)
				break
			}
		}
	}
}

// problems is all that is wrong with the form of a request's entries.
func (v *visit) problems() []string {
	var all []string
	for _, e := range v.entries {
		all = append(all, e.problems...)
		for _, m := range e.messages {
			all = append(all, m.problems...)
		}
	}
	return all
}

func (v *visit) messages() int {
	n := 0
	for _, e := range v.entries {
		n += len(e.messages)
	}
	return n
}

// commit stores what may be stored, and returns a verdict for each call, in
// the request's order.
func (o *Org) commit(v *visit) []*verdict {
	now := time.Now()
	var verdicts []*verdict
	o.mu.Lock()
	defer o.mu.Unlock()
	spared := v.strike()
	for _, e := range v.entries {
		i := slices.IndexFunc(verdicts, func(vd *verdict) bool { return vd.key == e.key })
		if i < 0 {
			i = len(verdicts)
			verdicts = append(verdicts, &verdict{key: e.key, status: 202})
		}
		o.commitEntry(v, e, verdicts[i], spared, now)
	}
	return verdicts
}

// commitEntry stores one entry. The caller holds the lock.
func (o *Org) commitEntry(v *visit, e *entry, vd *verdict, spared map[string]int, now time.Time) {
	refuseAll := func(reason string, status int, cause string) {
		o.totals.Refused[reason] += uint64(len(e.messages))
		vd.reject(status, cause, e.ids()...)
	}
	if len(e.problems) > 0 || slices.ContainsFunc(e.messages, func(m message) bool { return m.id == "" }) {
		refuseAll("invalid", 400, strings.Join((&visit{entries: []*entry{e}}).problems(), "; "))
		return
	}
	c := o.callFor(e.key)
	_, struck := spared[e.key]
	switch {
	case c == nil:
		refuseAll("unknown", 404, causeUnknown)
		return
	case c.parent != "":
		refuseAll("child", 400, causeChild)
		return
	case c.held || c.paused || struck && v.fault.Kind == PausedEntry:
		refuseAll("paused", 409, causePaused)
		return
	case c.closed && o.cfg.RefuseEnded:
		refuseAll("ended", 400, causeEnded)
		return
	}
	for i := range e.messages {
		m := &e.messages[i]
		reason, cause := "", ""
		switch {
		case struck && spared[e.key] == 0:
			reason, cause = "exhausted", causeExhausted
		case len(m.problems) > 0:
			reason, cause = "invalid", strings.Join(m.problems, "; ")
		case !o.store(c, m, now):
			reason, cause = "duplicate", causeDuplicate
		}
		if struck && spared[e.key] > 0 {
			spared[e.key]--
		}
		if reason != "" {
			o.totals.Refused[reason]++
			vd.reject(400, cause, m.id)
		}
	}
}

func (o *Org) countRefused(reason string, messages int) {
	o.mu.Lock()
	o.totals.Refused[reason] += uint64(messages)
	o.mu.Unlock()
}

// strike chooses the calls that a 207 fault hits, and how many of each one's
// messages are spared, from the first.
func (v *visit) strike() map[string]int {
	if v.fault.Kind != Exhausted && v.fault.Kind != PausedEntry {
		return nil
	}
	spared := map[string]int{}
	for i, key := range v.keys {
		if v.fault.Calls > 0 {
			if i < v.fault.Calls {
				spared[key] = 0
			}
			continue
		}
		if hit := v.random.IntN(2) == 0; hit || len(spared) == 0 && i == len(v.keys)-1 {
			first := slices.IndexFunc(v.entries, func(e *entry) bool { return e.key == key })
			spared[key] = v.random.IntN(max(1, len(v.entries[first].messages)))
		}
	}
	return spared
}
