package daemon

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/VictoriaMetrics/metrics"

	"example.com/steno/batcher"
	"example.com/steno/sfclient"
)

// yesTransport answers every request at once, in as few allocations as it can.
type yesTransport struct{ body bytes.Reader }

func (y *yesTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	answer := `{"data":{"result":"Accepted"},"errors":null,"success":true}`
	if strings.HasSuffix(req.URL.Path, "/token") {
		answer = `{"access_token":"t","instance_url":"https://x.my.salesforce.com"}`
	}
	y.body.Reset([]byte(answer))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(&y.body)}, nil
}

// TestSenderAllocations: a request of 25 utterances costs as many allocations
// as one of five: none is made for an utterance. Most are net/http's, around a
// transport, and the race detector adds one.
func TestSenderAllocations(t *testing.T) {
	client, err := sfclient.New(sfclient.Config{
		LoginURL: "https://x.my.salesforce.com", ClientID: "i", ClientSecret: "s", CallCenter: "c", Cert: "c",
		Transport: &yesTransport{},
	})
	if err != nil {
		t.Fatal(err)
	}
	sender := newSender(client, metrics.NewSet())
	f := func(messages int, most float64) {
		t.Helper()
		var text []string
		for call := range 5 {
			text = append(text, fmt.Sprintf("call-%d[%s]", call, strings.Repeat("id ", messages)))
		}
		r := request(strings.Join(text, " "))
		if n := r.Messages(); n != 5*messages {
			t.Fatalf("a request of %d, want %d", n, 5*messages)
		}
		got := testing.AllocsPerRun(1000, func() {
			if o := sender.Send(t.Context(), r); o.Err != nil || o.Results[4].Verdict != batcher.Deliver {
				t.Fatal(o)
			}
		})
		if got > most {
			t.Errorf("a request of 5×%d costs %v allocations, want at most %v", messages, got, most)
		}
	}
	f(1, 34)
	f(5, 34)
}
