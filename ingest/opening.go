package ingest

import (
	"maps"
	"slices"
	"strings"

	"example.com/steno/batcher/spool"
)

// opening is a valid `open`: what holds for every utterance of the stream
// until it is opened again. It does not change after it has been made, so the
// reader and the committer may both look at it.
type opening struct {
	id        spool.StreamID
	call      string // the first call's key: transcripts go out under it
	start     int64  // the stream's startTime in ms since the epoch; 0: not given
	channels  channels
	urgent    bool
	delivered bool   // the client wants to hear of deliveries
	trace     string // W3C traceparent; empty: none
}

// speaker is who said something, in Salesforce's terms.
type speaker struct {
	participantID string
	senderType    string
}

// channels are who speaks where, sorted by name. Most streams have two, for which
// a map would take four times the room; a client may name thousands.
type channels []channel

type channel struct {
	name string
	speaker
}

// find returns who speaks on a channel.
func (cs channels) find(name string) (s speaker, known bool) {
	i, known := slices.BinarySearchFunc(cs, name, func(c channel, name string) int { return strings.Compare(c.name, name) })
	if !known {
		return speaker{}, false
	}
	return cs[i].speaker, true
}

// opening validates an `open`. ignored counts the events that nobody knows.
func (m *message) opening(org string) (o *opening, ignored int, f *fault) {
	o = new(opening)
	if o.id.ID, f = name("stream", m.stream); f != nil {
		return nil, 0, f
	}
	if o.id.ID == "" {
		return nil, 0, invalid("stream is missing or empty")
	}
	if o.id.Org, f = m.inOrg(org); f != nil {
		return nil, 0, f
	}
	if o.id.Call, f = callKey("vendorCallKey", m.vendorCallKey); f != nil {
		return nil, 0, f
	}
	o.call = o.id.Call
	if !absent(m.parentCallKey) {
		if o.call, f = callKey("parentCallKey", m.parentCallKey); f != nil {
			return nil, 0, f
		}
	}
	if !absent(m.startTime) {
		if o.start, f = moment("startTime", m.startTime); f != nil {
			return nil, 0, f
		}
	}
	o.trace = traceparent(m.traceparent)
	if o.urgent, f = flag("urgent", m.urgent, false); f != nil {
		return nil, 0, f
	}
	if o.channels, f = speakers(m.channels, o.call); f != nil {
		return nil, 0, f
	}
	o.delivered, ignored, f = wanted(m.events)
	return o, ignored, f
}

// inOrg checks `org` against the name of the only org. Where that has no name,
// `org` is not looked at.
func (m *message) inOrg(org string) (string, *fault) {
	if org == "" || absent(m.org) {
		return org, nil
	}
	if !m.org.isString() {
		return "", invalid("org must be a string, is %s", describe(m.org))
	}
	if m.org.text != org {
		return "", unknownOrg(m.org.text)
	}
	return org, nil
}

func unknownOrg(name string) *fault {
	return &fault{codeUnknownOrg, "org is " + quoted(name) + ", which is not configured here"}
}

// callKey reads a vendorCallKey: the telephony system's key, which Salesforce
// wants for transcripts, never Salesforce's own voiceCallId.
func callKey(field string, v value) (string, *fault) {
	key, f := name(field, v)
	switch {
	case f != nil:
		return "", f
	case strings.TrimSpace(key) == "":
		return "", invalid("%s is missing or empty", field)
	case isVoiceCallID(key):
		return "", invalid("%s is a Salesforce voiceCallId: the telephony system's own key is wanted", field)
	}
	return key, nil
}

// isVoiceCallID knows Salesforce's ids of voice calls: 15 or 18 letters and
// digits that begin with 0LQ.
func isVoiceCallID(key string) bool {
	return strings.HasPrefix(key, "0LQ") && (len(key) == 15 || len(key) == 18) && alphanumeric(key)
}

func alphanumeric(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// speakers reads `channels`: an object of channel names and who speaks there.
func speakers(v value, call string) (channels, *fault) {
	if absent(v) {
		return nil, nil
	}
	if !v.isObject() {
		return nil, invalid("channels must be an object, is %s", describe(v))
	}
	named := map[string]speaker{} // of two of one name the later counts
	var fault *fault
	v.each(func(name string, v value) bool {
		field := "a channel's name"
		if len(name) <= maxName {
			field = "channels." + name
		}
		if !v.isObject() {
			fault = invalid("%s must be an object, is %s", field, describe(v))
			return false
		}
		m := decode(v.text)
		who, f := speakerOf(m.participantID, m.senderType, call)
		if f != nil {
			fault = f.within(field)
			return false
		}
		named[strings.Clone(name)] = who
		return true
	})
	if fault != nil {
		return nil, fault
	}
	all := make(channels, 0, len(named))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		all = append(all, channel{name, named[name]})
	}
	return all, nil
}

// speakerOf applies Salesforce's rules of who is named how: a HUMAN_AGENT by a
// user id, which begins with 005; an EXTERNAL_USER by the partner's own id; the
// other three by the first call's key and the sender type.
func speakerOf(participantID, senderType value, call string) (speaker, *fault) {
	id, f := name("participantId", participantID)
	if f != nil {
		return speaker{}, f
	}
	if absent(senderType) {
		return speaker{}, invalid("senderType is missing")
	}
	if !senderType.isString() {
		return speaker{}, invalid("senderType must be a string, is %s", describe(senderType))
	}
	known := senderTypeOf(senderType.text)
	switch known {
	case "HUMAN_AGENT":
		if !strings.HasPrefix(id, "005") || !alphanumeric(id) {
			return speaker{}, invalid("participantId of a HUMAN_AGENT must be a Salesforce user id, which begins with 005, is %s", describe(participantID))
		}
	case "EXTERNAL_USER":
		if id == "" {
			return speaker{}, invalid("participantId is missing: an EXTERNAL_USER needs one")
		}
	case "END_USER", "VIRTUAL_AGENT", "SUPERVISOR":
		if id == "" {
			id = call + known
		}
	default:
		return speaker{}, invalid("senderType must be END_USER, EXTERNAL_USER, HUMAN_AGENT, SUPERVISOR or VIRTUAL_AGENT, is %s", describe(senderType))
	}
	return speaker{participantID: id, senderType: known}, nil
}

// senderTypeOf is the one of Salesforce's sender types that is spelled so, or
// empty. It is no part of the frame: whoever speaks outlives that.
func senderTypeOf(spelled string) string {
	for _, known := range [...]string{"END_USER", "EXTERNAL_USER", "HUMAN_AGENT", "SUPERVISOR", "VIRTUAL_AGENT"} {
		if spelled == known {
			return known
		}
	}
	return ""
}

// wanted reads `events`. One that nobody knows is ignored, so that a client
// may ask for what a later server has.
func wanted(v value) (delivered bool, ignored int, f *fault) {
	if absent(v) {
		return false, 0, nil
	}
	if !v.isArray() {
		return false, 0, invalid("events must be an array of strings, is %s", describe(v))
	}
	v.each(func(_ string, event value) bool {
		switch {
		case !event.isString():
			f = invalid("events must be an array of strings, one of them is %s", describe(event))
		case event.text == "delivered":
			delivered = true
		default:
			ignored++
		}
		return f == nil
	})
	return delivered, ignored, f
}
