package dialect

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
)

// BenchmarkDroppedPartial is what most frames cost: partials that nobody asked
// for.
func BenchmarkDroppedPartial(b *testing.B) {
	for _, engine := range []string{"assemblyai/02-partial.json", "aws-transcribe/01-partial.json", "deepgram/01-partial.json", "deepgram-flux/02-start.json", "gladia/02-partial.json", "vosk/01-partial.json"} {
		b.Run(engine, func(b *testing.B) { benchmark(b, engine, Options{}) })
	}
}

// BenchmarkShownPartial is what they cost where a monitor shows them.
func BenchmarkShownPartial(b *testing.B) {
	for _, engine := range []string{"aws-transcribe/01-partial.json", "deepgram/01-partial.json", "vosk/01-partial.json"} {
		b.Run(engine, func(b *testing.B) { benchmark(b, engine, Options{Partials: true}) })
	}
}

// BenchmarkFinal is what the words cost.
func BenchmarkFinal(b *testing.B) {
	for _, engine := range []string{
		"assemblyai/04-end-formatted.json", "aws-transcribe/02-two-channels.json", "azure/04-phrase-bare.json", "contact-lens/03-transcript.json",
		"deepgram/03-speech_final.json", "deepgram-flux/05-end.json", "gladia/03-final.json", "google/02-v1-final.json",
		"soniox/03-end.json", "speechmatics/03-final.json", "vosk/02-result.json",
	} {
		b.Run(engine, func(b *testing.B) { benchmark(b, engine, Options{}) })
	}
}

func benchmark(b *testing.B, file string, o Options) {
	sample, err := os.ReadFile("testdata/" + file)
	if err != nil {
		b.Fatal(err)
	}
	var frame bytes.Buffer // as engines send it: without our line breaks
	if err := json.Compact(&frame, sample); err != nil {
		b.Fatal(err)
	}
	engine, _, _ := bytes.Cut([]byte(file), []byte("/"))
	d, _ := Lookup(string(engine))
	decoder, err := d.New(o)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(frame.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := decoder.Decode(frame.Bytes(), func(Event) {}); err != nil {
			b.Fatal(err)
		}
	}
}
