package sfclient

import (
	"net/http"
	"testing"
)

// TestYesIsNeverRememberedTooWell: after any other answer, each is judged as it
// would be by itself.
func TestYesIsNeverRememberedTooWell(t *testing.T) {
	const accepted = `{"data":{"result":"Accepted"},"errors":null,"success":true}`
	replies := []reply{
		{status: 200, body: []byte(accepted)},
		{status: 200, body: []byte(`{"result":"Accepted"}`)},
		{status: 500, body: []byte(accepted)},
		{status: 200, body: []byte(accepted), cut: http.ErrBodyReadAfterClose},
		{status: 200, body: []byte(`{"success":false,"errors":["no"]}`)},
		{status: 200, body: nil},
		{status: 207, body: []byte(`{"errorResponse":{"errorResponseEntries":[{"vendorCallKey":"a","status":201,"message":"Successfully created"}]}}`)},
	}
	for i := range replies {
		replies[i].header = http.Header{}
	}
	requests := []request{
		{endpoint: EndpointCreateBulkTranscriptMessages, entries: []RawEntry{{VendorCallKey: "a", Messages: [][]byte{[]byte("{}")}}}},
		{endpoint: EndpointCreateTranscriptMessage, entries: []RawEntry{{VendorCallKey: "b", Messages: [][]byte{[]byte("{}")}}}},
	}
	for _, before := range replies {
		for _, after := range replies {
			for _, first := range requests {
				for _, second := range requests {
					var y yes
					_, _ = y.judge(first, before)
					_, want := judge(second, after)
					_, got := y.judge(second, after)
					if (got == nil) != (want == nil) || got.Verdict() != want.Verdict() {
						t.Errorf("after %d %s, %s is answered %d %s: %v, want %v", before.status, before.body, second.endpoint, after.status, after.body, got, want)
					}
				}
			}
		}
	}
}
