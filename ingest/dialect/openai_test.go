package dialect

import (
	"fmt"
	"strings"
	"testing"
)

const openAIStep = `"type":"conversation.item.input_audio_transcription.`

func openAIFrames(t *testing.T, partials bool) (d Decoder, f func(frame string, want ...Event)) {
	t.Helper()
	d, err := newOpenAI(Options{Partials: partials})
	if err != nil {
		t.Fatal(err)
	}
	return d, func(frame string, want ...Event) {
		t.Helper()
		check(t, d, "{"+frame+"}", want...)
	}
}

var noNews = Event{Kind: Noise}

// openAITurn sends an item's start, end and commit.
func openAITurn(f func(string, ...Event), id, previous string, start, end int64) {
	f(fmt.Sprintf(`"type":"input_audio_buffer.speech_started","audio_start_ms":%d,"item_id":"%s"`, start, id), noNews)
	f(fmt.Sprintf(`"type":"input_audio_buffer.speech_stopped","audio_end_ms":%d,"item_id":"%s"`, end, id), Event{Kind: Boundary, End: Offset(end), ID: id})
	f(fmt.Sprintf(`"type":"input_audio_buffer.committed","item_id":"%s","previous_item_id":%s`, id, previous), noNews)
}

func openAICompleted(id, text string) string {
	return openAIStep + `completed","item_id":"` + id + `","transcript":"` + text + `"`
}

func TestOpenAI(t *testing.T) {
	_, f := openAIFrames(t, true)
	f(`"type":"session.created","session":{"id":"sess_1"}`, Event{Kind: Begin})
	openAITurn(f, "a", "null", 4610, 8120)
	f(openAIStep+`delta","item_id":"a","delta":"My"`, Event{Kind: Partial, Text: "My", Start: Offset(4610), ID: "a"})
	f(openAIStep+`delta","item_id":"a","delta":" parcel"`, Event{Kind: Partial, Text: "My parcel", Start: Offset(4610), ID: "a"})
	f(openAIStep+`intermediate","item_id":"a","intermediate":" was"`, Event{Kind: Partial, Text: "My parcel was", Start: Offset(4610), ID: "a"})
	f(openAICompleted("a", " My parcel was late. "), Event{Kind: Final, Text: "My parcel was late.", Start: Offset(4610), End: Offset(8120), ID: "a", Unique: true})
	f(openAICompleted("a", "My parcel was late."), noNews)

	f(openAICompleted("z", "From the middle."), Event{Kind: Final, Text: "From the middle.", ID: "z", Unique: true})
	f(openAIStep+`completed","transcript":"Nameless."`, Event{Kind: Final, Text: "Nameless.", Unique: true})
	f(openAICompleted("y", ""), Event{Kind: Final, ID: "y", Unique: true})
	f(openAICompleted("x", "Yes.")+`,"words_info":{"words":[{"start_time":100,"end_time":200,"speaker_tag":1}]}`,
		Event{Kind: Final, Text: "Yes.", Start: Offset(100), End: Offset(200), Speaker: "1", ID: "x", Unique: true})
	f(`"type":"error","error":{"message":"Too much."}`, Event{Kind: Failure, Text: "Too much."})
	for _, known := range []string{"session.updated", "response.done", "conversation.item.added", "input_audio_buffer.append", "rate_limits.updated"} {
		f(`"type":"`+known+`"`, noNews)
	}
	f(`"type":"news"`, Event{Kind: Unknown})
	f(openAIStep+`news","item_id":"n"`, Event{Kind: Unknown})
	f(``, Event{Kind: Unknown})
}

// R1: completions in another order are put right; a failed item does not hold
// up those behind it.
func TestOpenAIOrder(t *testing.T) {
	final := func(id string, start, end int64) Event {
		return Event{Kind: Final, Text: strings.ToUpper(id), Start: Offset(start), End: Offset(end), ID: id, Unique: true}
	}
	_, f := openAIFrames(t, false)
	openAITurn(f, "a", "null", 1000, 2000)
	openAITurn(f, "b", `"a"`, 3000, 4000)
	openAITurn(f, "c", `"b"`, 5000, 6000)
	f(openAICompleted("c", "C"))
	f(openAICompleted("b", "B"))
	f(openAICompleted("a", "A"), final("a", 1000, 2000), final("b", 3000, 4000), final("c", 5000, 6000))

	openAITurn(f, "d", `"c"`, 7000, 8000)
	openAITurn(f, "e", `"d"`, 8100, 9000)
	f(openAICompleted("e", "E"))
	f(openAIStep+`failed","item_id":"d","error":{"message":"Unintelligible."}`,
		Event{Kind: Failure, Text: "Unintelligible.", ID: "d"}, final("e", 8100, 9000))

	// previous_item_id decides, whatever came first.
	f(`"type":"input_audio_buffer.speech_started","audio_start_ms":9200,"item_id":"h"`, noNews)
	f(`"type":"input_audio_buffer.speech_started","audio_start_ms":9100,"item_id":"g"`, noNews)
	f(`"type":"input_audio_buffer.committed","item_id":"h","previous_item_id":"g"`, noNews)
	f(`"type":"input_audio_buffer.committed","item_id":"g","previous_item_id":"e"`, noNews)
	f(openAICompleted("h", "H"))
	f(openAICompleted("g", "G"), Event{Kind: Final, Text: "G", Start: Offset(9100), ID: "g", Unique: true}, Event{Kind: Final, Text: "H", Start: Offset(9200), ID: "h", Unique: true})
}

// R2: an item that is never completed holds the others up for a while only.
func TestOpenAIPatience(t *testing.T) {
	_, f := openAIFrames(t, false)
	openAITurn(f, "lost", "null", 1000, 2000)
	openAITurn(f, "b", `"lost"`, 3000, 4000)
	f(openAICompleted("b", "B"))
	f(`"type":"input_audio_buffer.speech_started","audio_start_ms":7000,"item_id":"c"`, noNews)
	f(`"type":"input_audio_buffer.speech_stopped","audio_end_ms":7001,"item_id":"c"`,
		Event{Kind: Boundary, End: Offset(7001), ID: "c"}, Event{Kind: Final, Text: "B", Start: Offset(3000), End: Offset(4000), ID: "b", Unique: true})
	f(openAICompleted("lost", "Late."), Event{Kind: Final, Text: "Late.", Start: Offset(1000), End: Offset(2000), ID: "lost", Unique: true})

	_, f = openAIFrames(t, false)
	f(`"type":"input_audio_buffer.committed","item_id":"lost"`, noNews)
	for i := range maxWaiting {
		f(openAICompleted(fmt.Sprint(i), "x"))
	}
	f(openAICompleted("last", "x"), Event{Kind: Final, Text: "x", ID: "0", Unique: true})
}

// R3.
func TestOpenAISegments(t *testing.T) {
	_, f := openAIFrames(t, false)
	segment := func(item, id string) string {
		return openAIStep + `segment","item_id":"` + item + `","id":"` + id + `","speaker":"speaker_1","start":4.91,"end":"7.62","text":"My parcel"`
	}
	want := func(id string) Event {
		return Event{Kind: Final, Text: "My parcel", Start: Offset(4910), End: Offset(7620), Speaker: "speaker_1", ID: id, Unique: true}
	}
	openAITurn(f, "a", "null", 4610, 8120)
	f(segment("a", "seg_1"), want("a/seg_1"))
	f(segment("a", "seg_2"), want("a/seg_2"))
	f(openAICompleted("a", "My parcel My parcel"), noNews)
	f(segment("a", "seg_3"), want("a/seg_3"))

	openAITurn(f, "b", `"a"`, 9000, 9500)
	f(openAICompleted("b", "Yes."), Event{Kind: Final, Text: "Yes.", Start: Offset(9000), End: Offset(9500), ID: "b", Unique: true})
	f(segment("b", "seg_1"), noNews)
}

// R4, and what waits is not lost.
func TestOpenAIFinish(t *testing.T) {
	d, f := openAIFrames(t, false)
	openAITurn(f, "a", "null", 1000, 2000)
	f(openAIStep + `delta","item_id":"a","delta":"My par"`)
	openAITurn(f, "b", `"a"`, 3000, 4000)
	f(openAICompleted("b", "B"))
	checkFinish(t, d,
		Event{Kind: Final, Text: "My par", Start: Offset(1000), End: Offset(2000), ID: "a/heard", Unique: true},
		Event{Kind: Final, Text: "B", Start: Offset(3000), End: Offset(4000), ID: "b", Unique: true})
	checkFinish(t, d)
}

// Whatever comes, little is remembered, and every final is given.
func TestOpenAIRemembersLittle(t *testing.T) {
	d, _ := openAIFrames(t, false)
	finals := 0
	count := func(e Event) {
		if e.Kind == Final {
			finals++
		}
	}
	const n = 1000
	for i := range n {
		for _, frame := range []string{
			fmt.Sprintf(`{"type":"input_audio_buffer.committed","item_id":"lost%d"}`, i),
			fmt.Sprintf(`{%sdelta","item_id":"lost%d","delta":%q}`, openAIStep, i, strings.Repeat("x", 1000)),
			fmt.Sprintf(`{%scompleted","item_id":"%d","transcript":"x"}`, openAIStep, i),
			fmt.Sprintf(`{%scompleted","item_id":"%s%d","transcript":"x"}`, openAIStep, strings.Repeat("x", maxID), i),
		} {
			if err := d.Decode([]byte(frame), count); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := len(d.(*openAI).items); got > maxItems {
		t.Errorf("%d items are remembered, want at most %d", got, maxItems)
	}
	d.Finish(func(Event) {})
	if finals < 2*n-maxItems {
		t.Errorf("%d finals of %d", finals, 2*n)
	}
}
