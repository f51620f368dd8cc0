package dialect

import (
	"bytes"
	"strings"

	"github.com/tidwall/gjson"
)

// azure reads what Azure's speech service sends: as it is on the wire, headers
// and JSON in one text frame, or the JSON alone, which its SDKs hand out.
// Read in cognitive-services-speech-sdk-js@9e88223
// src/common.speech/ServiceMessages and WebsocketMessageFormatter.ts.
//
// The header Path names the message; without it its members do. A speech.phrase
// with the status Success is an utterance, named by its Id. Times count 100 ns
// from the start of the turn, which X-RequestId names: it is the session. The
// speaker Unknown is nobody.
type azure struct{ partials bool }

func newAzure(o Options) (Decoder, error) { return &azure{o.Partials}, nil }

func (d *azure) Decode(frame []byte, emit func(Event)) error {
	headers, body := azureParts(frame)
	path := headers["path"]
	if path == "audio" {
		return ErrAudio
	}
	o, err := object(body)
	if err != nil && (path == "" || len(bytes.TrimSpace(body)) > 0) {
		return err
	}
	if path == "" {
		path = azurePath(o)
	}
	e := d.read(path, o)
	e.Session = headers["x-requestid"]
	if e.Kind != Partial || d.partials {
		emit(e)
	}
	return nil
}

func (d *azure) read(path string, o gjson.Result) Event {
	switch path {
	case "speech.phrase":
		return azurePhrase(o)
	case "speech.hypothesis", "speech.fragment":
		return azureWords(Partial, o, speech(loose(o, "text").Str))
	case "turn.start":
		return Event{Kind: Begin}
	case "turn.end":
		return Event{Kind: End}
	case "speech.startdetected", "speech.enddetected", "speech.config", "speech.context", "telemetry":
		return Event{Kind: Noise}
	}
	return Event{Kind: Unknown}
}

func azurePhrase(o gjson.Result) Event {
	switch status := loose(o, "recognitionstatus").Str; status {
	case "Success":
		best := loose(o, "nbest").Get("0")
		return azureWords(Final, o, speech(first(
			loose(o, "displaytext"), loose(best, "display"), loose(best, "itn"), loose(best, "lexical"))))
	case "NoMatch", "InitialSilenceTimeout", "BabbleTimeout":
		return Event{Kind: Noise} // nothing was said
	case "EndOfDictation":
		return Event{Kind: End}
	case "Error", "TooManyRequests", "BadRequest", "Forbidden":
		return Event{Kind: Failure, Text: status}
	}
	return Event{Kind: Unknown}
}

func azureWords(kind Kind, o gjson.Result, text string) Event {
	e := Event{Kind: kind, Text: text, ID: label(loose(o, "id")), Channel: label(loose(o, "channel")), Speaker: label(loose(o, "speakerid"))}
	if e.Speaker == "Unknown" {
		e.Speaker = ""
	}
	e.Start, e.End = in(ticks, loose(o, "offset")), after(ticks, loose(o, "offset"), loose(o, "duration"))
	return e
}

// azurePath is the path of a message that comes without its headers.
func azurePath(o gjson.Result) string {
	switch {
	case told(loose(o, "recognitionstatus")):
		return "speech.phrase"
	case told(loose(o, "text")):
		return "speech.hypothesis"
	case told(loose(o, "context", "servicetag")):
		return "turn.start"
	case told(loose(o, "offset")):
		return "speech.startdetected"
	}
	return ""
}

// azureParts parts a frame into headers, whose names and Path are in lower
// case, and body.
func azureParts(frame []byte) (headers map[string]string, body []byte) {
	if trimmed := bytes.TrimSpace(frame); len(trimmed) == 0 || trimmed[0] == '{' {
		return nil, frame
	}
	const maxHead = 4096 // bytes: the service sends three headers
	head, body, found := bytes.Cut(frame, []byte("\r\n\r\n"))
	if !found {
		head, body, found = bytes.Cut(frame, []byte("\n\n"))
	}
	if !found || len(head) > maxHead {
		return nil, frame
	}
	headers = map[string]string{}
	for line := range strings.Lines(strings.ToValidUTF8(string(head), "\uFFFD")) {
		name, value, _ := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		if name == "path" {
			value = strings.ToLower(value)
		}
		headers[name] = value
	}
	return headers, body
}

// Finish has nothing to add: a hypothesis may still change.
func (d *azure) Finish(func(Event)) {}
