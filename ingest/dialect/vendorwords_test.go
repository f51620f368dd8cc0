package dialect

import (
	"reflect"
	"testing"

	"github.com/tidwall/gjson"
)

func TestVendorFrames(t *testing.T) {
	f := func(vendor, dialect, evt string, want ...string) {
		t.Helper()
		if got := vendorDialect(vendor); got != dialect {
			t.Errorf("%s is %q, want %q", vendor, got, dialect)
		}
		if got := vendorFrames(vendor, gjson.Parse(evt)); !reflect.DeepEqual(got, want) {
			t.Errorf("%s of %s is %q, want %q", evt, vendor, got, want)
		}
	}
	f("deepgram", "deepgram", `{"type":"Results"}`, `{"type":"Results"}`)
	f("deepgramflux", "deepgram-flux", `[{"vendor":{"evt":{"a":1}}},{"b":2}]`, `{"a":1}`, `{"b":2}`)
	f("google", "google", `{"alternatives":[]}`, `{"results":[{"alternatives":[]}]}`)
	f("google", "google", `{"results":[]}`, `{"results":[]}`)
	f("aws", "aws-transcribe", `[{"alternatives":[]}]`, `{"Transcript":{"Results":[{"alternatives":[]}]}}`)
	f("nvidia", "riva", `{"alternatives":[]}`, `{"results":[{"alternatives":[]}]}`)
	f("openai", "openai-realtime", `{}`, `{}`)
	f("microsoft", "azure", `{"recognition_status":"Success","display_text":"The offset.","offset":1,"duration":2,"n_best":[{"display":"The offset."}]}`,
		`{"RecognitionStatus":"Success","DisplayText":"The offset.","Offset":1,"Duration":2,"NBest":[{"Display":"The offset."}]}`)
	f("ibm", "", `[]`)
}
