package dialect

import (
	"cmp"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sample is one frame and what it says, as expected.json has it.
type sample struct {
	File    string // engine/name
	Kind    string
	Text    *string
	StartMs any // a number of ms, or "abs " and a time of day
	EndMs   any
	Who     *string // channel and speaker in words
	ID      *string // the id, or the name of the member that holds it
}

// TestSamples decodes the project's own samples, and those beside the source
// tree where there are any.
func TestSamples(t *testing.T) {
	f := func(t *testing.T, root, expected string) {
		b, err := os.ReadFile(expected)
		if err != nil {
			t.Skipf("there are no such samples: %v", err)
		}
		var samples []sample
		if err := json.Unmarshal(b, &samples); err != nil {
			t.Fatalf("%s: %v", expected, err)
		}
		for _, s := range samples {
			t.Run(s.File, func(t *testing.T) { s.check(t, root) })
		}
	}
	t.Run("beside", func(t *testing.T) {
		const shared = "../../../shared/engines"
		f(t, shared, filepath.Join(shared, "expected.json"))
	})
	own, err := filepath.Glob("testdata/*/expected.json")
	if err != nil || len(own) == 0 {
		t.Fatalf("no samples of our own: %v", err)
	}
	for _, expected := range own {
		t.Run(filepath.Base(filepath.Dir(expected)), func(t *testing.T) { f(t, "testdata", expected) })
	}
}

// joined are the engines that spread what belongs together over several
// frames, without any of them being half of the words.
var joined = []string{"openai-realtime"}

// again says what another sample says, of which one only is taken.
const again = "openai-realtime/07-segment.json"

// otherwise are samples whose times or ids are not as expected.json has them,
// by the reason.
var otherwise = map[string]string{
	"genesys-notifications/01-partial.json":        "times of the world: from transcriptionStartTimeMs",
	"genesys-notifications/02-final.json":          "times of the world",
	"twilio-transcription/01-started.json":         "Timestamp is the start",
	"twilio-transcription/02-content-partial.json": "Timestamp is the end",
	"twilio-transcription/03-content-final.json":   "Timestamp is the end",
	"riva/05-realtime-ws-completed.json":           "the id has the start in it",
	"openai-realtime/07-segment.json":              "the id has the item's in it",
	"whisperlive/03-segments-partial.json":         "expected.json leaves the times out",
	"whisperlivekit/01-active.json":                "expected.json leaves the times out",
}

func (s sample) check(t *testing.T, root string) {
	engine, _, _ := strings.Cut(s.File, "/")
	d, ok := Lookup(engine)
	if !ok {
		t.Skipf("there is no dialect %s", engine)
	}
	decoder, err := d.New(anyOptions(true))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, s.File)
	if slices.Contains(joined, engine) && s.File != again {
		before, _ := filepath.Glob(filepath.Join(root, engine, "[0-9]*"))
		for _, name := range before {
			if name < file {
				decode(t, decoder, name)
			}
		}
	}
	frame, events, err := decode(t, decoder, file)
	if s.Kind == "audio" {
		if !errors.Is(err, ErrAudio) {
			t.Errorf("error %v, want ErrAudio", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	s.compare(t, frame, events)
}

func decode(t *testing.T, d Decoder, file string) (frame string, events []Event, err error) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Decode(b, func(e Event) { events = append(events, e) })
	return string(b), events, err
}

// meaning is what the words of expected.json are to us. A sample whose kind is
// special is listed by its name.
var meaning = map[string]Kind{
	"partial":          Partial,
	"tentative-final":  Partial,
	"segment-final":    Piece,
	"utterance-final":  Final,
	"end-of-utterance": Boundary,
	"start-of-stream":  Begin,
	"end-of-stream":    End,
	"error":            Failure,
	"late revision":    Revision,

	"empty-final":     Noise, // or an empty Final, or nothing
	"noise":           Noise, // or nothing
	"start-of-speech": Noise,
	"ack":             Noise,
	"keepalive":       Noise,
	"client":          Noise,
	"info":            Noise,
	"warning":         Noise,
	"late duplicate":  Noise,
	"order marker":    Noise,

	"error / end-of-stream":      Failure,
	"partial (but see note)":     Partial, // contact-lens: an Utterance, where Transcripts are taken
	"segment-final + partial":    Piece,   // soniox: and the tail
	"final (repeated) + partial": Final,   // whisperlive
	"full-state":                 Partial, // whisperlivekit: the last line may go on
}

func (s sample) compare(t *testing.T, frame string, events []Event) {
	want, ok := meaning[s.Kind]
	if !ok {
		t.Fatalf("kind %q has no meaning here", s.Kind)
	}
	if want == Noise {
		for _, e := range events {
			// A relay may have missed where the session began.
			if e.Kind != Noise && e.Kind != Begin && !(e.Kind == Final && e.Text == "") {
				t.Errorf("%+v, want nothing of interest", e)
			}
		}
		return
	}
	i := slices.IndexFunc(events, func(e Event) bool { return e.Kind == want })
	if i < 0 {
		t.Fatalf("%+v, want one of kind %s", events, want)
	}
	e := events[i]
	if s.File == "soniox/07-speaker-change.json" {
		s.speakers(t, events)
		return
	}
	if s.File == "whisper_streaming/01-lines.txt" { // one piece a line
		e.Text, e.End = e.Text+" "+events[len(events)-1].Text, events[len(events)-1].End
	}
	if s.Text != nil && e.Text != *s.Text {
		t.Errorf("text %q, want %q", e.Text, *s.Text)
	}
	if otherwise[s.File] != "" {
		return
	}
	checkTime(t, "start", e.Start, s.StartMs)
	checkTime(t, "end", e.End, s.EndMs)
	s.checkNames(t, frame, e)
}

// speakers checks a frame in which two speak: expected.json has the time of
// both together.
func (s sample) speakers(t *testing.T, events []Event) {
	var said []Event
	for _, e := range events {
		if e.Kind == Piece {
			said = append(said, e)
		}
	}
	if len(said) != 2 || said[0].Speaker == said[1].Speaker || said[0].Text != " Okay." || said[1].Text != " I understand." {
		t.Errorf("%+v, want two speakers' words apart", said)
		return
	}
	checkTime(t, "start", said[0].Start, s.StartMs)
	checkTime(t, "end", said[1].End, s.EndMs)
}

func checkTime(t *testing.T, which string, got Instant, want any) {
	t.Helper()
	switch want := want.(type) {
	case float64:
		if ms, ok := got.Offset(); !ok || ms != int64(want) {
			t.Errorf("%s %+v, want the offset %v", which, got, want)
		}
	case string:
		day, _ := timestamp("2026-08-21T" + strings.TrimPrefix(want, "abs "))
		if ms, ok := got.Absolute(); !ok || ms != day {
			t.Errorf("%s %+v, want %s", which, got, want)
		}
	default:
		if got.Known() {
			t.Errorf("%s %+v, want none", which, got)
		}
	}
}

// checkNames compares channel, speaker and id.
func (s sample) checkNames(t *testing.T, frame string, e Event) {
	if s.Who != nil {
		for who := range strings.SplitSeq(*s.Who, " / ") {
			name := strings.TrimSuffix(who, " of 2")
			for _, prefix := range []string{"channelTag ", "channel_tag ", "channelId ", "channel ", "Channel ", "speaker "} {
				name = strings.TrimPrefix(name, prefix)
			}
			name, _, _ = strings.Cut(name, " = ")
			if name != "Unknown" && e.Channel != name && e.Speaker != name {
				t.Errorf("channel %q, speaker %q, want %q", e.Channel, e.Speaker, name)
			}
		}
	}
	if s.ID == nil {
		return
	}
	id := e.ID
	if e.Kind == Begin {
		id = cmp.Or(e.Session, e.Call.Key)
	}
	_, value, told := strings.Cut(*s.ID, "=")
	if told && e.Kind != Begin && id != value {
		t.Errorf("id %q, want %q", id, value)
	}
	if id == "" || !strings.Contains(frame, id) {
		t.Errorf("id %q, want %s", id, *s.ID)
	}
}
