package ingest

import (
	"fmt"
	"testing"
	"time"

	"example.com/steno/batcher/spool"
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
	o, _, fault := decode(benchOpen).opening("")
	if fault != nil {
		t.Fatal(fault.text)
	}
	frame := fmt.Appendf(nil, benchUtterance, 1)
	received := time.Unix(1573503300, 0)
	var m message
	f("a frame made into a record", 3, func() { // itself, the message id, Salesforce's message
		eachObject(asText(frame), func(text string) (object, more bool) {
			m = message{}
			m.read(text)
			u, fault := m.utterance(o, 32<<10)
			if fault != nil {
				t.Fatal(fault.text)
			}
			_ = u.record(o, streamMessageID(o.id, 1), received)
			return true, true
		})
	})
	long := spool.StreamID{Call: "2ec439b8-3948-8c36-b91d-44c88296e2d3", ID: "leg-1"}
	f("a message id", 1, func() { streamMessageID(long, 1) })
	buf := make([]byte, 0, 128)
	f("an acknowledgement", 0, func() { buf = appendAck(buf[:0], "leg-1", 12) })
}
