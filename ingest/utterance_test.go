package ingest_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
)

const twoChannels = `"startTime":1573503300000,"channels":{"0":{"senderType":"END_USER"},"1":{"participantId":"005xx000001Sv6A","senderType":"HUMAN_AGENT"}}`

// Everything that the spool keeps of an utterance, and that its message is
// Salesforce's object, canonical: six fields, in this order.
func TestRecord(t *testing.T) {
	run(t, ingest.Config{Org: "acme"}, func(r *rig) {
		c := r.dial()
		c.send(open("leg-1", "second", `"parentCallKey":"first"`, twoChannels))
		epoch := c.epoch()
		read := time.Now()
		c.send(`{"type":"utterance","stream":"leg-1","seq":1,"channel":"1","messageId":"m-1","startOffset":4910,"endOffset":7620,"content":"Good \"morning\" \u00e9\n","urgent":true}`)
		c.expect(ack("leg-1", 1))
		want := &spool.Record{
			Position: 1, Org: "acme", Call: "first",
			Stream: spool.StreamID{Org: "acme", Call: "second", ID: "leg-1"}, Epoch: epoch, Seq: 1,
			MessageID: "m-1", Speaker: "005xx000001Sv6A", Urgent: true,
			Spoken: time.UnixMilli(1573503307620), Received: read,
			Message: []byte(`{"startTime":1573503304910,"endTime":1573503307620,"participantId":"005xx000001Sv6A","messageId":"m-1","senderType":"HUMAN_AGENT","content":"Good \"morning\" é\n"}`),
		}
		got := r.stored()
		if len(got) != 1 || !reflect.DeepEqual(got[0], want) {
			t.Errorf("stored %+v\nmessage %s\nwant   %+v", got, got[0].Message, want)
		}
	})
}

// message is Salesforce's message object, as it is stored.
type message struct {
	StartTime, EndTime  int64
	ParticipantID       string `json:"participantId"`
	MessageID           string `json:"messageId"`
	SenderType, Content string
}

func (r *rig) messages() []message {
	r.t.Helper()
	var all []message
	for _, rec := range r.stored() {
		var m message
		if err := json.Unmarshal(rec.Message, &m); err != nil {
			r.t.Fatalf("%s: %v", rec.Message, err)
		}
		all = append(all, m)
	}
	return all
}

// Protocol: "`channel` stands for the participant and sender type that `open`
// gave it; explicit fields win. An END_USER, VIRTUAL_AGENT or SUPERVISOR
// without participantId gets vendorCallKey + sender type." Transcripts of a
// transfer go out under the first call's key, and so do its participants.
func TestSpeakers(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "second", `"parentCallKey":"first"`, twoChannels))
		c.expect(opened("a", 0))
		seq := 0
		want := func(fields, participant, sender string) {
			t.Helper()
			seq++
			c.send(fmt.Sprintf(`{"type":"utterance","stream":"a","seq":%d,"startTime":1573503300000,"endTime":1573503300000,"content":"x",%s}`, seq, fields))
			c.expect(ack("a", seq))
			if m := r.messages()[0]; m.ParticipantID != participant || m.SenderType != sender {
				t.Errorf("%s was said by %s, %s, want %s, %s", fields, m.ParticipantID, m.SenderType, participant, sender)
			}
		}
		want(`"channel":"0"`, "firstEND_USER", "END_USER")
		want(`"channel":"1"`, "005xx000001Sv6A", "HUMAN_AGENT")
		want(`"channel":1`, "005xx000001Sv6A", "HUMAN_AGENT")
		want(`"channel":"1","participantId":"005yy"`, "005yy", "HUMAN_AGENT")
		want(`"channel":"1","senderType":"SUPERVISOR"`, "firstSUPERVISOR", "SUPERVISOR")
		want(`"channel":"1","senderType":"EXTERNAL_USER","participantId":"partner-7"`, "partner-7", "EXTERNAL_USER")
		want(`"senderType":"END_USER"`, "firstEND_USER", "END_USER")
		want(`"senderType":"VIRTUAL_AGENT"`, "firstVIRTUAL_AGENT", "VIRTUAL_AGENT")
		want(`"senderType":"SUPERVISOR","participantId":null`, "firstSUPERVISOR", "SUPERVISOR")
		want(`"senderType":"END_USER","participantId":"me"`, "me", "END_USER")
	})
}

// Protocol: "Times are UTC milliseconds since the epoch; startOffset/endOffset
// are milliseconds from the stream's startTime and need it."
func TestTimes(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k", `"startTime":1573503300000`))
		c.expect(opened("a", 0))
		seq := 0
		want := func(fields string, start, end int64) {
			t.Helper()
			seq++
			c.send(fmt.Sprintf(`{"type":"utterance","stream":"a","seq":%d,"senderType":"END_USER","content":"x",%s}`, seq, fields))
			c.expect(ack("a", seq))
			if m := r.messages()[0]; m.StartTime != start || m.EndTime != end {
				t.Errorf("%s is from %d to %d, want %d to %d", fields, m.StartTime, m.EndTime, start, end)
			}
		}
		want(`"startTime":1573503300001,"endTime":1573503300001`, 1573503300001, 1573503300001)
		want(`"startTime":1573503300001.0,"endTime":1.573503300002e12`, 1573503300001, 1573503300002)
		want(`"startOffset":0,"endOffset":7620`, 1573503300000, 1573503307620)
		want(`"startOffset":5,"endTime":1573503300009`, 1573503300005, 1573503300009)
		want(`"startTime":1573503300003,"startOffset":99999,"endOffset":4`, 1573503300003, 1573503300004)
	})
}

// Protocol: "messageId left out: the server makes one from (vendorCallKey,
// stream, seq), the same after every resend and restart."
func TestMessageIDIsMade(t *testing.T) {
	made := func(call, stream string) (first, second string) {
		run(t, ingest.Config{}, func(r *rig) {
			c := r.dial()
			c.send(open(stream, call), say(stream, 1), say(stream, 2, `"messageId":""`))
			c.expect(opened(stream, 0))
			m := r.messages()
			first, second = m[0].MessageID, m[1].MessageID
		})
		return first, second
	}
	a1, a2 := made("call", "leg")
	b1, b2 := made("call", "leg")
	if a1 != b1 || a2 != b2 {
		t.Errorf("after a restart the ids are %s, %s, before %s, %s", b1, b2, a1, a2)
	}
	others := map[string]bool{a1: true, a2: true}
	for _, other := range [][2]string{{"callx", "leg"}, {"call", "legx"}, {"cal", "lleg"}} {
		id, _ := made(other[0], other[1])
		if others[id] {
			t.Errorf("call %s, stream %s has the id of another: %s", other[0], other[1], id)
		}
		others[id] = true
	}
	if len(a1) != 36 || a1[14] != '8' {
		t.Errorf("the id %s has not the shape of a UUID of version 8", a1)
	}
}

// A message id that the client gave is accepted once in a call, whatever its
// stream; the repeat is acknowledged and counted. After the resume time it is
// forgotten.
func TestMessageIDAcceptedOnce(t *testing.T) {
	run(t, ingest.Config{Resume: time.Minute, Idle: time.Hour}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), open("b", "k"), open("c", "other"), say("a", 1, `"messageId":"m"`)+"\n"+say("a", 2, `"messageId":"m"`))
		c.expect(opened("a", 0), opened("b", 0), opened("c", 0))
		c.acked("a", 2)
		c.send(say("b", 1, `"messageId":"m"`), say("c", 1, `"messageId":"m"`))
		c.expect(ack("b", 1), ack("c", 1))
		r.wantStored("a/1 c/1")
		r.wantMetric("steno_utterances_duplicate_total", "2")
		time.Sleep(time.Minute)
		synctest.Wait()
		c.send(say("b", 2, `"messageId":"m"`))
		c.expect(ack("b", 2))
		r.wantStored("b/2")
	})
}

// Protocol: "`ack` is cumulative": one for many, and a nacked utterance counts.
// "`nack` is final for that seq (it counts as acknowledged, do not resend)"; "a
// bad utterance is a nack, never a close". Answers of a stream keep the order
// of its messages.
func TestAcksAndNacksInOrder(t *testing.T) {
	runSlow(t, ingest.Config{}, func(r *rig, g *gateSpool) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1))
		group := <-g.asked // the turn of seq 1 is on its way; what follows is the next
		bad := `{"type":"utterance","stream":"a","seq":4,"senderType":"END_USER","startTime":1573503300001,"endTime":1573503300000,"content":"x"}`
		c.send(say("a", 2), say("a", 3), bad, say("a", 5), say("a", 6))
		c.quiet()
		g.allow <- nil
		c.expect(ack("a", 1))
		c.quiet()
		if n := g.pass(); len(group) != 1 || n != 4 {
			t.Errorf("groups of %d and %d, want 1 and 4: all that waited", len(group), n)
		}
		c.expect(ack("a", 3), `{"type":"nack","stream":"a","seq":4,"code":"invalid","message":"endTime is before startTime, by 1 ms"}`, ack("a", 6))
		c.quiet()
		r.wantMetric(`steno_ingest_nacks_total{code="invalid"}`, "1")
		// A resend of a nacked one is answered like that of any other.
		c.send(say("a", 4))
		c.expect(ack("a", 6))
		r.wantMetric("steno_utterances_duplicate_total", "1")
	})
}

// A nack with nothing behind it moves `acked` too.
func TestNackCountsAsAcknowledged(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), say("a", 1), say("a", 2, `"content":""`), `{"type":"close","stream":"a","reason":"rest"}`, open("a", "k"))
		c.expect(opened("a", 0), ack("a", 1), nack("a", 2, "invalid"), closed("a", 2), opened("a", 2))
		c.send(say("a", 3))
		c.expect(ack("a", 3))
	})
}

// Protocol: code `gap`, "which carries expected: resend from there".
func TestGap(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), say("a", 1), say("a", 4))
		c.expect(opened("a", 0), ack("a", 1), `{"type":"nack","stream":"a","seq":4,"code":"gap","expected":2}`)
		c.send(say("a", 4)) // again: the stream has begun, so nothing but 2 will do
		c.expect(`{"type":"nack","stream":"a","seq":4,"code":"gap","expected":2}`)
		c.send(say("a", 2), say("a", 3), say("a", 4))
		c.acked("a", 4)
		r.wantStored("a/1 a/2 a/3 a/4")
		r.wantMetric(`steno_ingest_nacks_total{code="gap"}`, "2")
	})
}

// Protocol: `urgent`, the utterance's own, else the stream's.
func TestUrgent(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k", `"urgent":true`), open("b", "k"))
		c.send(say("a", 1), say("a", 2, `"urgent":false`), say("b", 1), say("b", 2, `"urgent":true`))
		c.expect(opened("a", 0), opened("b", 0))
		var got []bool
		for _, rec := range r.stored() {
			got = append(got, rec.Urgent)
		}
		if want := []bool{true, false, false, true}; !reflect.DeepEqual(got, want) {
			t.Errorf("urgent is %v, want %v", got, want)
		}
	})
}

// Protocol: "`partial` has no seq, is never acknowledged and never sent to
// Salesforce; it feeds the live monitor only."
func TestPartial(t *testing.T) {
	var told []ingest.Partial
	run(t, ingest.Config{OnPartial: func(p ingest.Partial) { told = append(told, p) }}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k", twoChannels))
		c.expect(opened("a", 0))
		c.send(`{"type":"partial","stream":"a","channel":"1","content":"Good mor"}`,
			`{"type":"partial","stream":"b","channel":"1","content":"of a stream that is not open"}`,
			`{"type":"partial","stream":"a","channel":"9","content":"of nobody"}`,
			`{"type":"partial","stream":"a","channel":"1"}`)
		c.quiet()
		r.wantStored("")
		r.wantMetric("steno_ingest_partials_total", "4")
		want := []ingest.Partial{{Stream: spool.StreamID{Call: "k", ID: "a"}, Call: "k", Speaker: "005xx000001Sv6A", SenderType: "HUMAN_AGENT", Content: "Good mor"}}
		if !reflect.DeepEqual(told, want) {
			t.Errorf("told %+v, want %+v", told, want)
		}
	})
}

// Protocol: `{"type":"delivered","stream":…,"seq":…,"latencyMs":…}` to a stream
// that asked for events:["delivered"], and to no other.
func TestDelivered(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("b", "k"))
		c.expect(opened("b", 0))
		if r.server.Listened() {
			t.Error("Listened though no stream has asked")
		}
		c.send(open("a", "k", `"events":["delivered"]`), say("a", 1), say("b", 1))
		c.expect(opened("a", 0))
		if !r.server.Listened() {
			t.Error("not Listened though a stream has asked")
		}
		c.next() // an ack each
		c.next()
		records := r.stored()
		r.server.Settled(time.Now().Add(212*time.Millisecond), append(records, &spool.Record{Call: "k", Ended: true}, &spool.Record{Call: "over HTTP"}))
		c.expect(`{"type":"delivered","stream":"a","seq":1,"latencyMs":212}`)
		c.quiet()
		records[0].Epoch = "of an earlier life"
		r.server.Settled(time.Now(), records)
		c.quiet()
	})
}
