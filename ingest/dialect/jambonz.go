package dialect

import (
	"net/url"

	"github.com/tidwall/gjson"
)

// jambonz reads what jambonz pushes: the frames of its WebSocket API, the
// bodies of its transcriptionHook over HTTP, and those of its custom speech
// API. Read in jambonz-feature-server@389c65e2 lib/utils/ws-requestor.js,
// lib/tasks/transcribe.js, lib/utils/transcription-utils.js and
// custom-speech-example@99f90ac.
//
// A frame of the WebSocket API is an envelope: type, msgid, call_sid, data.
// What the recogniser of a call says is verb:hook with data.speech, the same
// for all vendors, and the vendor's own message in vendor.evt: see
// vendorwords.go. msgid is the id of the words, call_sid the session. jambonz
// waits 5 s for the ack of a message, except of a few kinds, and fails the
// message without it; after a reconnect it waits with everything until
// session:reconnect is acked, and sends nothing again. It refuses a server
// that does not choose its subprotocol, ws.jambonz.org.
//
// The call key may be in the application's customer data or environment, which
// session:new has, or in the query of the hook. Over HTTP data comes alone,
// without an id. The custom speech API has start, stop, error and
// transcription, with the words where data.speech has them.
type jambonz struct {
	partials bool
	begun    bool
}

func newJambonz(o Options) (Decoder, error) { return &jambonz{partials: o.Partials}, nil }

func (d *jambonz) Decode(frame []byte, emit func(Event)) error {
	o, err := object(frame)
	if err != nil {
		return err
	}
	kind, data := o.Get("type").Str, o.Get("data")
	if !told(o.Get("type")) && told(field(o, "speech", "speech_event", "speechEvent", "call_status")) {
		kind, data = "verb:hook", o
		if !told(o.Get("speech")) {
			kind = "call:status"
		}
	}
	e := Event{Kind: Noise, Session: label(field(o, "call_sid", "data.call_sid"))}
	if id := o.Get("msgid"); told(id) && jambonzWaits(kind) {
		e.ID, e.Reply = label(id), []byte(`{"type":"ack","msgid":`+id.Raw+`}`)
	}
	switch kind {
	case "session:new", "session:reconnect", "session:adulting":
		e = d.begin(e, o)
	case "verb:hook":
		d.beginByHook(e, o, emit)
		if said := data.Get("speech"); told(said) {
			e = d.words(e, said)
		}
	case "call:status":
		e = jambonzStatus(e, data)
	case "jambonz:error":
		e.Kind, e.Text = Failure, speech(label(field(data, "msg", "message", "error")))
	default:
		e = d.custom(e, kind, o)
	}
	if e.Kind != Partial && e.Kind != Final {
		e.ID = ""
	}
	if e.Kind != Partial || d.partials {
		emit(e)
	} else if e.Reply != nil {
		emit(Event{Kind: Noise, Session: e.Session, Reply: e.Reply})
	}
	return nil
}

// jambonzWaits says whether jambonz waits for the ack of a message.
func jambonzWaits(kind string) bool {
	switch kind {
	case "call:status", "verb:status", "jambonz:error", "llm:event", "llm:tool-call", "tts:streaming-event", "tts:tokens-result", "ack", "command":
		return false
	}
	return true
}

// begin is the session that a message announces.
func (d *jambonz) begin(e Event, o gjson.Result) Event {
	d.begun = true
	e.Kind, e.Call = Begin, callOf(o.Get("data.env_vars"), e.Session)
	e.Call.query(label(o.Get("hook")))
	e.Call.read(field(o, "data.customer_data", "data.customerData"))
	return e
}

// beginByHook begins the session where nothing did before, and the hook's
// query knows the call.
func (d *jambonz) beginByHook(e Event, o gjson.Result, emit func(Event)) {
	if u, err := url.Parse(label(o.Get("hook"))); !d.begun && err == nil && u.Query().Has("vendorCallKey") {
		e = d.begin(e, o)
		e.ID, e.Reply = "", nil
		emit(e)
	}
}

// words are those of data.speech, or of a transcription of the custom API.
func (d *jambonz) words(e Event, said gjson.Result) Event {
	e.Kind, e.Text = Partial, speech(said.Get("alternatives.0.transcript").Str)
	e.Channel = label(field(said, "channel_tag", "channel"))
	if yes(said.Get("is_final")) {
		e.Kind = Final
		e.Start, e.End, e.Speaker = vendorWords(said.Get("vendor"), e.Text)
	}
	return e.ordered()
}

func jambonzStatus(e Event, data gjson.Result) Event {
	switch data.Get("call_status").Str {
	case "completed", "failed", "busy", "no-answer", "canceled":
		e.Kind = End
	}
	return e
}

// custom is a frame of the custom speech API, or one of no interest.
func (d *jambonz) custom(e Event, kind string, o gjson.Result) Event {
	switch kind {
	case "start":
		d.begun = true
		e.Kind, e.Call = Begin, callOf(o.Get("options"), "")
	case "transcription":
		e = d.words(e, o)
	case "stop":
		e.Kind = End
	case "error":
		e.Kind, e.Text = Failure, speech(label(o.Get("error")))
	case "ack", "command", "session:redirect", "verb:status", "dial:confirm", "llm:event", "llm:tool-call", "tts:streaming-event", "tts:tokens-result":
	default:
		e.Kind = Unknown
	}
	return e
}

// Finish has nothing to say: no words are held back.
func (d *jambonz) Finish(func(Event)) {}
