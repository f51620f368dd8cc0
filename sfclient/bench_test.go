package sfclient

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// go test -run '^$' -bench . -count 6 -cpu 2 ./sfclient

// fiveEntries is a request of five calls with so many messages of 60 characters
// each, about what is said in one breath.
func fiveEntries(messages int) []RawEntry {
	entries := make([]RawEntry, MaxEntries)
	for i := range entries {
		entries[i].VendorCallKey = fmt.Sprintf("b09955ce-03be-4335-a288-91293c18895%d", i)
		for j := range messages {
			m := Message{
				StartTime: 1573503300000, EndTime: 1573503300001, ParticipantID: entries[i].VendorCallKey + "END_USER",
				MessageID: fmt.Sprintf("57904eb6-5352-4c5e-adf6-5f100572cf5%d", j), SenderType: EndUser,
				Content: strings.Repeat("Hello All ", 6),
			}
			entries[i].Messages = append(entries[i].Messages, m.Append(nil))
		}
	}
	return entries
}

func BenchmarkMessageAppend(b *testing.B) {
	m := Message{
		StartTime: 1573503300000, EndTime: 1573503300001, ParticipantID: "b09955ceEND_USER", MessageID: "57904eb6",
		SenderType: EndUser, Content: strings.Repeat("Hello All ", 6),
	}
	buf := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		buf = m.Append(buf[:0])
	}
}

func BenchmarkBulkBody(b *testing.B) {
	for _, messages := range []int{1, 5} {
		b.Run(fmt.Sprintf("messages=5x%d", messages), func(b *testing.B) {
			c := &Client{names: appendNames(nil, "contactCenterDevName123", "certDevName123")}
			entries := fiveEntries(messages)
			b.SetBytes(int64(len(c.bulkBody(entries))))
			b.ReportAllocs()
			for b.Loop() {
				c.bulkBody(entries)
			}
		})
	}
}

func BenchmarkJudge(b *testing.B) {
	for name, body := range map[string]string{
		"accepted": `{"data":{"result":"Accepted"},"errors":null,"success":true}`,
		"per_call": `{"errorResponse":{"errorResponseEntries":[{"vendorCallKey":"b09955ce-03be-4335-a288-91293c188950","status":409,"message":"Transcription paused for participant"}]}}`,
	} {
		b.Run(name, func(b *testing.B) {
			r := request{endpoint: EndpointCreateBulkTranscriptMessages, entries: fiveEntries(1)}
			rep := reply{status: 207, body: []byte(body), header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				judge(r, rep)
			}
		})
	}
}

func BenchmarkSendBulk(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path == tokenPath {
			fmt.Fprintf(w, `{"access_token":"t","instance_url":"http://%s"}`, r.Host)
			return
		}
		io.WriteString(w, `{"data":{"result":"Accepted"},"errors":null,"success":true}`)
	}))
	defer server.Close()
	client, err := New(Config{LoginURL: server.URL, ClientID: "i", ClientSecret: "s", CallCenter: "c", Cert: "c"})
	if err != nil {
		b.Fatal(err)
	}
	entries := fiveEntries(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.SendBulk(b.Context(), entries); err != nil {
			b.Fatal(err)
		}
	}
}
