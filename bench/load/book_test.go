package load

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

// bulk is a body with entries like "3: 1 2": call 3, seqs 1 and 2.
func bulk(entries ...string) []byte {
	var all []string
	for _, e := range entries {
		call, seqs, _ := strings.Cut(e, ":")
		var messages []string
		for seq := range strings.FieldsSeq(seqs) {
			messages = append(messages, fmt.Sprintf(`{"startTime":1,"messageId":"%s.%s.1000.0","content":"he said \"messageId\":\"x\""}`, call, seq))
		}
		all = append(all, fmt.Sprintf(`{"vendorCallKey":"k-%s","messages":[%s]}`, call, strings.Join(messages, ",")))
	}
	return fmt.Appendf(nil, `{"callCenterDevName":"c","entries":[%s]}`, strings.Join(all, ","))
}

func TestBookCounts(t *testing.T) {
	f := func(want Counts, bodies ...[]byte) {
		t.Helper()
		b := &book{prefix: []byte("k-")}
		for _, body := range bodies {
			r := b.read(body, false)
			b.arrived(r, false, 5*time.Millisecond)
			b.answered(r)
		}
		if b.counts != want {
			t.Errorf("%s\ncounted %+v\n   want %+v", bytes.Join(bodies, []byte("\n")), b.counts, want)
		}
	}
	f(Counts{Delivered: 3, Requests: 1, Entries: 2}, bulk("1: 1 2", "7: 1"))
	f(Counts{Delivered: 3, Requests: 2, Entries: 3}, bulk("1: 1", "1: 2"), bulk("1: 3"))
	f(Counts{Delivered: 2, Requests: 2, Entries: 2, OrderViolations: 1}, bulk("1: 2"), bulk("1: 1"))
	f(Counts{Delivered: 2, Requests: 1, Entries: 1, OrderViolations: 1}, bulk("1: 2 1"))
	f(Counts{Delivered: 2, Requests: 2, Entries: 2, Duplicates: 1}, bulk("1: 1 2"), bulk("1: 2"))
	f(Counts{OverLimit: 1}, bulk("1: 1 2 3 4 5 6"))
	f(Counts{OverLimit: 1}, bulk("1: 1", "2: 1", "3: 1", "4: 1", "5: 1", "6: 1"))
	f(Counts{Delivered: 5, Requests: 1, Entries: 1}, bulk("1: 1 2 3 4 5"))
	f(Counts{Foreign: 1, Requests: 1, Entries: 1}, []byte(`{"entries":[{"vendorCallKey":"other-1","messages":[{"messageId":"1.1.0.0"}]}]}`))
}

func TestBookSeesTwoRequestsOfACall(t *testing.T) {
	b := &book{prefix: []byte("k-")}
	first, second := b.read(bulk("1: 1", "2: 1"), false), b.read(bulk("2: 2"), false)
	b.arrived(first, false, 0)
	b.arrived(second, false, 0)
	b.answered(first)
	b.answered(second)
	third := b.read(bulk("2: 3"), false)
	b.arrived(third, false, 0)
	if b.counts.Overlaps != 1 {
		t.Errorf("%d overlaps, want 1", b.counts.Overlaps)
	}
}

func TestBookReadsSingles(t *testing.T) {
	b := &book{prefix: []byte("k-")}
	r := b.read([]byte(`{"certDevName":"c","voiceCallId":"k-3","startTime":1,"messageId":"3.9.2000.1","content":"x"}`), true)
	b.arrived(r, true, 5*time.Millisecond)
	if want := (Counts{Delivered: 1, Requests: 1, Singles: 1, Entries: 1}); b.counts != want || b.urgent.max != 3*time.Millisecond {
		t.Errorf("counted %+v, urgent after %v, want %+v and 3ms", b.counts, b.urgent.max, want)
	}
}
