package sfclient

import (
	"net/http"
	"testing"
)

// TestAllocations: allocations are exact where times are not, so a regression
// of these shows in the gate.
func TestAllocations(t *testing.T) {
	f := func(what string, most float64, work func()) {
		t.Helper()
		if got := testing.AllocsPerRun(100, work); got > most {
			t.Errorf("%s costs %v allocations, want at most %v", what, got, most)
		}
	}
	c := &Client{names: appendNames(nil, "contactCenterDevName123", "certDevName123")}
	entries := fiveEntries(5)
	f("the body of 25 messages", 1, func() { c.bulkBody(entries) })

	buf := make([]byte, 0, 1024)
	m := Message{StartTime: 1573503300000, EndTime: 1573503300001, ParticipantID: "b09955ceEND_USER", MessageID: "57904eb6", SenderType: EndUser, Content: "Hello All"}
	f("a message", 0, func() { buf = m.Append(buf[:0]) })

	r := request{endpoint: EndpointCreateBulkTranscriptMessages, entries: entries}
	rep := reply{status: 200, body: []byte(`{"data":{"result":"Accepted"},"errors":null,"success":true}`), header: http.Header{}}
	var y yes
	f("an answer that accepts all", 1, func() {
		if _, e := y.judge(r, rep); e != nil {
			t.Fatal(e)
		}
	})
}
