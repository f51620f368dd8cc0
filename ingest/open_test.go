package ingest_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"testing"
	"time"

	"example.com/steno/ingest"
)

// Protocol: `opened` carries stream, epoch, acked, window, pingEvery and
// serverTime.
func TestOpened(t *testing.T) {
	run(t, ingest.Config{Window: 17, PingEvery: 12 * time.Second}, func(r *rig) {
		c := r.dial()
		c.send(open("leg-1", "b09955ce"))
		var got map[string]any
		if err := json.Unmarshal(c.next(), &got); err != nil {
			t.Fatal(err)
		}
		epoch, _ := got["epoch"].(string)
		if !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(epoch) {
			t.Errorf("epoch is %q, want 8 hex digits", epoch)
		}
		want := map[string]any{"type": "opened", "stream": "leg-1", "epoch": epoch, "acked": 0.0,
			"window": 17.0, "pingEvery": 12000.0, "serverTime": float64(time.Now().UnixMilli())}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("opened is %v, want %v", got, want)
		}
	})
}

// Protocol: "One connection may carry one stream or many".
func TestManyStreams(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one"), open("b", "one"), open("c", "two"))
		c.expect(opened("a", 0), opened("b", 0), opened("c", 0))
		c.send(say("b", 1), say("a", 1), say("c", 1), say("a", 2), `{"type":"ping"}`)
		got := map[string]bool{}
		for b := c.next(); !covers(t, b, `{"type":"pong"}`); b = c.next() {
			got[string(b)] = true // in an order that is nobody's business
		}
		for _, want := range []string{ack("a", 2), ack("b", 1), ack("c", 1)} {
			if !got[want] {
				t.Errorf("got %v, want %s among them: each stream is acknowledged by itself", got, want)
			}
		}
		r.wantStored("b/1 a/1 c/1 a/2")
		r.wantMetric("steno_calls_active", "2")
		r.wantMetric("steno_connections", "1")
	})
}

// Protocol: "every message names its stream, and may leave it out while the
// connection has exactly one open".
func TestStreamLeftOut(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		const anonymous = `{"type":"utterance","seq":%d,"senderType":"END_USER","startTime":1573503300000,"endTime":1573503300000,"content":"x"}`
		c := r.dial()
		c.send(open("a", "one"))
		c.expect(opened("a", 0))
		c.send(fmt.Sprintf(anonymous, 1))
		c.expect(ack("a", 1))
		c.send(open("b", "one"))
		c.expect(opened("b", 0))
		c.send(fmt.Sprintf(anonymous, 2))
		c.expect(`{"type":"nack","seq":2,"code":"unknown_stream","message":"stream is missing, which only works while one stream is open: 2 are"}`)
		c.send(`{"type":"close","stream":"b"}`)
		c.expect(closed("b", 0))
		c.send(fmt.Sprintf(anonymous, 2), `{"type":"close"}`)
		c.expect(ack("a", 2), closed("a", 2))
		c.send(`{"type":"close"}`)
		c.expect(`{"type":"error","code":"unknown_stream"}`)
		r.wantMetric(`steno_ingest_nacks_total{code="unknown_stream"}`, "1")
	})
}

// Protocol: close code 4400 is for "a first message that is not open".
func TestFirstMessageIsNotOpen(t *testing.T) {
	for _, first := range []string{`{"type":"ping"}`, say("a", 1), `{"type":"hello"}`, `{}`, `{"type":1}`} {
		run(t, ingest.Config{}, func(r *rig) {
			c := r.dial()
			c.send(first)
			c.expectClose(4400)
			r.wantStored("")
		})
	}
}

// Protocol: code `invalid`. A bad open is an error that names the field; the
// connection stays, so that the client can correct itself.
func TestBadOpen(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		bad := func(message, want string) {
			t.Helper()
			c.send(message)
			var got struct{ Type, Code, Message string }
			if err := json.Unmarshal(c.next(), &got); err != nil {
				t.Fatal(err)
			}
			if got.Type != "error" || got.Code != "invalid" || got.Message != want {
				t.Errorf("%s\n got %+v\nwant invalid: %s", message, got, want)
			}
		}
		bad(`{"type":"open","vendorCallKey":"k"}`, "stream is missing or empty")
		bad(`{"type":"open","stream":7,"vendorCallKey":"k"}`, "stream must be a string, is the number 7")
		bad(`{"type":"open","stream":"a"}`, "vendorCallKey is missing or empty")
		bad(open("a", ""), "vendorCallKey is missing or empty")
		bad(open("a", "  "), "vendorCallKey is missing or empty")
		bad(open("a", "0LQRM0000000001"), "vendorCallKey is a Salesforce voiceCallId: the telephony system's own key is wanted")
		bad(open("a", "0LQRM0000000001AAA"), "vendorCallKey is a Salesforce voiceCallId: the telephony system's own key is wanted")
		bad(`{"type":"open","stream":"a","vendorCallKey":"a\tb"}`, "vendorCallKey has a control character at byte 1")
		bad(open("a", "k", `"parentCallKey":""`), "parentCallKey is missing or empty")
		bad(open("a", "k", `"startTime":"now"`), `startTime must be a whole number of milliseconds, is the string "now"`)
		bad(open("a", "k", `"startTime":1573503300`), "startTime is 1573503300, which looks like seconds: milliseconds are wanted")
		bad(open("a", "k", `"urgent":"yes"`), `urgent must be true or false, is the string "yes"`)
		bad(open("a", "k", `"channels":[]`), "channels must be an object, is an array")
		bad(open("a", "k", `"channels":{"1":"AGENT"}`), `channels.1 must be an object, is the string "AGENT"`)
		bad(open("a", "k", `"channels":{"1":{"senderType":"AGENT"}}`), `channels.1.senderType must be END_USER, EXTERNAL_USER, HUMAN_AGENT, SUPERVISOR or VIRTUAL_AGENT, is the string "AGENT"`)
		bad(open("a", "k", `"channels":{"1":{"senderType":"HUMAN_AGENT"}}`), "channels.1.participantId of a HUMAN_AGENT must be a Salesforce user id, which begins with 005, is missing")
		bad(open("a", "k", `"events":"delivered"`), `events must be an array of strings, is the string "delivered"`)
		bad(open("a", "k", `"events":[1]`), "events must be an array of strings, one of them is the number 1")
		c.send(say("a", 1), open("a", "k"))
		c.expect(nack("a", 1, "unknown_stream"), opened("a", 0))
	})
}

// Protocol: code `duplicate_stream`. Messages name a stream by its id alone, so
// an id is open once on a connection, whatever the call.
func TestDuplicateStream(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one"), open("a", "one"), open("a", "two"))
		c.expect(opened("a", 0), `{"type":"error","stream":"a","code":"duplicate_stream"}`, `{"type":"error","code":"duplicate_stream"}`)
		c.send(say("a", 1))
		c.expect(ack("a", 1))
	})
}

// Protocol: close code 4429 is for "too many streams".
func TestTooManyStreamsOnAConnection(t *testing.T) {
	run(t, ingest.Config{MaxStreams: 2}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one"), open("b", "one"), say("a", 1), open("c", "one"))
		c.expect(opened("a", 0), opened("b", 0), ack("a", 1))
		c.expectClose(4429)
		r.wantStored("a/1")
	})
}

// Protocol: code `overloaded`, with retryAfter. It is the server that has too
// many, so the client may stay.
func TestTooManyStreamsInAll(t *testing.T) {
	run(t, ingest.Config{MaxStreamsTotal: 2}, func(r *rig) {
		a, b := r.dial(), r.dial()
		a.send(open("a", "one"), open("b", "one"))
		a.expect(opened("a", 0), opened("b", 0))
		b.send(open("c", "two"))
		b.expect(`{"type":"error","stream":"c","code":"overloaded","retryAfter":2000}`)
		b.send(open("a", "one")) // no new one: it is taken over
		b.expect(opened("a", 0))
		a.expectClose(4409)
	})
}

// A stream that was opened and never used costs nothing once its connection
// has gone, so nobody can fill the server with them.
func TestUnusedStreamsGoAtOnce(t *testing.T) {
	run(t, ingest.Config{MaxStreamsTotal: 1}, func(r *rig) {
		for i := range 5 {
			c := r.dial()
			c.send(open("a", fmt.Sprint("call-", i)))
			c.expect(opened("a", 0))
			c.ws.Close()
			r.wantMetric("steno_calls_active", "0")
		}
	})
}

// Protocol: "`org` picks the Salesforce org where several are configured; left
// out, the only or the default one"; code `unknown_org`.
func TestOrg(t *testing.T) {
	run(t, ingest.Config{Org: "acme"}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one", `"org":"umbrella"`))
		c.expect(`{"type":"error","stream":"a","code":"unknown_org","message":"org is the string \"umbrella\", which is not configured here"}`)
		c.send(open("a", "one", `"org":"acme"`), open("b", "one"), say("a", 1), say("b", 1))
		c.expect(opened("a", 0))
		for _, rec := range r.stored() {
			if rec.Org != "acme" || rec.Stream.Org != "acme" {
				t.Errorf("stored under org %q, %+v, want acme", rec.Org, rec.Stream)
			}
		}
		c.send(open("c", "one", `"org":7`))
		c.expect(opened("b", 0))
	})
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one", `"org":"whatever"`), open("b", "one", `"org":7`))
		c.expect(opened("a", 0), opened("b", 0))
	})
}

// Protocol: "A message of an unknown type, or with unknown fields, is ignored
// and counted."
func TestUnknownIsIgnored(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one", `"colour":"red"`, `"events":["delivered","dreamt"]`), `{"type":"dance"}`, `{}`, say("a", 1, `"confidence":0.9`, `"words":[1,2]`))
		c.expect(opened("a", 0), ack("a", 1))
		c.quiet()
		r.wantMetric(`steno_ingest_ignored_total{why="type"}`, "2")
		r.wantMetric(`steno_ingest_ignored_total{why="field"}`, "4")
	})
}

// Protocol: "one object a frame, or several as NDJSON"; a client that sends
// JSON in binary frames is understood.
func TestFrames(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "one")+"\n\n"+say("a", 1)+"\r\n"+say("a", 2)+"\n", "{\n \"type\":\n \"ping\"\n}")
		c.expect(opened("a", 0))
		c.acked("a", 2)
		c.expect(`{"type":"pong"}`)
		if err := c.ws.WriteMessage(2, []byte(" "+say("a", 3))); err != nil {
			t.Fatal(err)
		}
		c.expect(ack("a", 3))
		r.wantStored("a/1 a/2 a/3")
	})
}
