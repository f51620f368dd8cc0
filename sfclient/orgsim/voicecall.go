package orgsim

import "time"

// What executeOmniFlow answers: the wrapper page's own example.
const (
	routedQueue = "queue info"
	routedAgent = "agent info"
)

// answerVoiceCall answers the four endpoints that are about a call as a whole.
func (o *Org) answerVoiceCall(endpoint Endpoint, body *object) reply {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	switch endpoint {
	case CreateVoiceCall:
		return o.createVoiceCall(body)
	case UpdateVoiceCall:
		return o.updateVoiceCall(body, now)
	case ExecuteOmniFlow:
		return o.executeOmniFlow(body)
	case ClearRouting:
		return o.clearRouting(body)
	}
	panic("BUG: no voice call endpoint: " + string(endpoint))
}

// createVoiceCall makes a call. Of callAttributes, a JSON string, Salesforce
// says that errors in it do not fail the creation; here it must be a string.
func (o *Org) createVoiceCall(body *object) reply {
	key := body.text("vendorCallKey")
	body.text("to")
	body.text("from")
	var start time.Time
	if body.text("startTime") != "" {
		start = body.moment("startTime")
	}
	method := body.text("initiationMethod")
	if method != "" {
		method = body.oneOf("initiationMethod", "Inbound", "Transfer")
	}
	for _, p := range body.objects("participants") {
		p.text("participantKey")
		p.text("type")
		body.problems = append(body.problems, p.problems...)
	}
	body.oneOf("callOrigin", "Preview", "Progressive", "Voicemail")
	body.oneOf("callSubtype", "PSTN", "WebRTC")
	body.optional("callAttributes")
	body.optional("queue")
	parentRef, parent := body.optional("parentVoiceCallId"), ""
	if method == "Transfer" {
		parent = o.checkParent(body, key, parentRef)
	}
	if isSalesforceID(key) {
		body.note("vendorCallKey", "can't be a Salesforce voiceCallId")
	}
	if len(body.problems) > 0 {
		return o.broken(400, body.problems...)
	}
	return envelope(200, map[string]string{"voiceCallId": o.create(key, parent, start).id}, nil)
}

// checkParent finds the first call of a transferred conversation: its key is
// the one that transcripts go out under.
func (o *Org) checkParent(body *object, key, ref string) string {
	if ref == "" {
		body.note("parentVoiceCallId", "is required for a Transfer")
		return ""
	}
	first := o.find(ref)
	switch {
	case first == nil && o.cfg.MakeCalls && ref != key && !isSalesforceID(ref):
		return ref
	case first == nil || first.key == key:
		body.note("parentVoiceCallId", "is no other voice call of this org")
		return ""
	case first.parent != "":
		return first.parent
	}
	return first.key
}

// updateVoiceCall closes the conversation unless isActiveCall is true, which
// is not the default. An unknown vendorCallKey becomes a call that has ended:
// "can also be used to create a VoiceCall even after the call has ended".
func (o *Org) updateVoiceCall(body *object, now time.Time) reply {
	ref := body.text("voiceCallId")
	start, end := body.moment("startTime"), body.moment("endTime")
	active := body.flag("isActiveCall")
	for _, field := range []string{"fromNumber", "callOrigin", "queue", "agent", "recordingLocation", "callAttributes"} {
		body.optional(field)
	}
	body.moment("enqueueTime")
	body.moment("acceptTime")
	for _, field := range []string{"numberOfHolds", "agentInteractionDuration", "longestHoldDuration", "totalHoldDuration", "totalRecordingDuration"} {
		if _, ok := body.field(field); ok {
			body.whole(field)
		}
	}
	c := o.find(ref)
	if c == nil && isSalesforceID(ref) {
		body.note("voiceCallId", "is no voice call of this org")
	}
	if len(body.problems) > 0 {
		return o.broken(400, body.problems...)
	}
	if c == nil {
		c = o.create(ref, "", start)
	}
	c.updates++
	if !active {
		if end.IsZero() {
			end = now
		}
		c.close(end)
	}
	return envelope(200, map[string]string{"status": "pending"}, nil)
}

// executeOmniFlow routes a call: always to the same queue and agent.
func (o *Org) executeOmniFlow(body *object) reply {
	o.checkCall(body)
	body.text("dialedNumber")
	body.optional("flowDevName")
	body.optional("fallbackQueue")
	if raw, ok := body.field("flowInputParameters"); ok && raw[0] != '{' {
		body.note("flowInputParameters", "must be an object")
	}
	if len(body.problems) > 0 {
		return o.broken(400, body.problems...)
	}
	return envelope(200, map[string]string{"queue": routedQueue, "agent": routedAgent}, nil)
}

func (o *Org) clearRouting(body *object) reply {
	if o.checkCall(body); len(body.problems) > 0 {
		return o.broken(400, body.problems...)
	}
	return envelope(200, map[string]string{"status": "Success"}, nil)
}

// checkCall checks that voiceCallId, Salesforce's or the vendor's, is a call.
func (o *Org) checkCall(body *object) {
	ref := body.text("voiceCallId")
	if ref == "" || o.find(ref) != nil {
		return
	}
	if !o.cfg.MakeCalls || isSalesforceID(ref) {
		body.note("voiceCallId", "is no voice call of this org")
		return
	}
	o.create(ref, "", time.Time{})
}
