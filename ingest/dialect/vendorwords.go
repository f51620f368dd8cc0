package dialect

import (
	"strings"
	"unicode"

	"github.com/tidwall/gjson"
)

// vendorWords digs the times of words, and who says them, out of the message
// of the engine behind a platform, {"name":…,"evt":…}, with that engine's own
// decoder. They are taken if the engine's words are those of the platform;
// else, and where the engine is not known, they stay unknown.
func vendorWords(vendor gjson.Result, text string) (start, end Instant, speaker string) {
	name := vendor.Get("name").Str
	engine, known := Lookup(vendorDialect(name))
	if !known {
		return start, end, ""
	}
	d, err := engine.New(Options{})
	if err != nil {
		return start, end, ""
	}
	var words []Event
	keep := func(e Event) {
		if (e.Kind == Piece || e.Kind == Final) && e.Text != "" {
			words = append(words, e)
		}
	}
	for _, frame := range vendorFrames(name, vendor.Get("evt")) {
		if err := d.Decode([]byte(frame), keep); err != nil {
			return start, end, ""
		}
	}
	d.Finish(keep)
	if len(words) == 0 || !sameWords(words, text) {
		return start, end, ""
	}
	return words[0].Start, words[len(words)-1].End, words[0].Speaker
}

// vendorDialect is our name for what a platform calls an engine; empty: none
// of ours.
func vendorDialect(vendor string) string {
	switch vendor {
	case "assemblyai", "deepgram", "gladia", "google", "soniox", "speechmatics":
		return vendor
	case "deepgramflux":
		return "deepgram-flux"
	case "microsoft":
		return "azure"
	case "aws":
		return "aws-transcribe"
	case "nvidia":
		return "riva"
	case "openai":
		return "openai-realtime"
	}
	return ""
}

// vendorFrames are the engine's frames in an evt: one, or a list of them where
// the platform has put several together, each perhaps with its own vendor.evt.
func vendorFrames(vendor string, evt gjson.Result) []string {
	if !evt.IsArray() {
		return []string{vendorFrame(vendor, evt)}
	}
	var frames []string
	for e := range objects(evt) {
		if own := e.Get("vendor.evt"); told(own) {
			e = own
		}
		frames = append(frames, vendorFrame(vendor, e))
	}
	return frames
}

// azureKeys undoes that the platform writes all keys in snake case.
var azureKeys = strings.NewReplacer(`"recognition_status"`, `"RecognitionStatus"`, `"display_text"`, `"DisplayText"`,
	`"offset"`, `"Offset"`, `"duration"`, `"Duration"`, `"n_best"`, `"NBest"`, `"display"`, `"Display"`)

// vendorFrame puts back around a message what the platform has taken off.
func vendorFrame(vendor string, evt gjson.Result) string {
	bare := told(evt.Get("alternatives"))
	switch {
	case bare && (vendor == "google" || vendor == "nvidia"):
		return `{"results":[` + evt.Raw + `]}`
	case bare && vendor == "aws":
		return `{"Transcript":{"Results":[` + evt.Raw + `]}}`
	case vendor == "microsoft":
		return azureKeys.Replace(evt.Raw)
	}
	return evt.Raw
}

// sameWords compares letters and digits: platforms change the rest.
func sameWords(words []Event, text string) bool {
	var said strings.Builder
	for _, w := range words {
		said.WriteString(w.Text)
	}
	return letters(said.String()) == letters(text)
}

func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}
