package durable

import (
	"testing"
	"time"

	"example.com/steno/batcher/spool"
)

// TestAllocations: allocations are exact where times are not, so a regression
// of these shows in the gate.
func TestAllocations(t *testing.T) {
	now := time.Unix(1573503300, 999_999_999)
	group := make([]*spool.Record, 25)
	for i := range group {
		group[i] = &spool.Record{
			Org: "acme", Call: "b09955ce-03be", Stream: spool.StreamID{Org: "acme", Call: "another", ID: "leg-1"}, Epoch: "7f3a", Seq: 1 << 40,
			MessageID: "57904eb6-5352-4c5e", Speaker: "b09955ceEND_USER", Also: []string{"a", "b"}, Urgent: true, Spoken: now, Received: now,
			Message: []byte(`{"content":"Good morning, you are through to the clinic"}`),
		}
	}
	var encoded []byte
	if got := testing.AllocsPerRun(100, func() { encoded = encodeGroup(nil, group) }); got != 1 {
		t.Errorf("a group of %d records costs %v allocations to encode, want 1", len(group), got)
	}
	if got := testing.AllocsPerRun(100, func() { encoded = encodeGroup(encoded, group) }); got != 0 {
		t.Errorf("the next group costs %v allocations to encode, want none", got)
	}
	size := 0
	for _, r := range group {
		size += recordHeader + sizeBound(r)
	}
	if len(encoded) > size {
		t.Errorf("the group is %d bytes long, above its bound of %d", len(encoded), size)
	}
}
