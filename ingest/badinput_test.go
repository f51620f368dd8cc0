package ingest_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"example.com/steno/ingest"
)

// direct posts without a network.
func (r *rig) direct(body string) (status int, retryAfter string) {
	q := httptest.NewRequest("POST", door, strings.NewReader(body))
	q.RemoteAddr = "127.0.0.1:9"
	w := httptest.NewRecorder()
	r.server.Handler().ServeHTTP(w, q)
	return w.Code, w.Header().Get("Retry-After")
}

// Protocol: 4400 is "not JSON", at any time. What came before it is stored.
func TestNotJSON(t *testing.T) {
	for _, bad := range []string{"hello", "", `{"type":"utterance"`, `{'type':'ping'}`, "[]", `"open"`, "17", "null", `[{"type":"ping"}]`,
		strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100), "{\"type\":\"ping\"}\nnonsense", "\x00\x01"} {
		run(t, ingest.Config{}, func(r *rig) {
			c := r.dial()
			c.send(open("a", "k"), say("a", 1))
			c.expect(opened("a", 0), ack("a", 1))
			c.send(bad)
			for {
				if b := c.next(); b == nil || !covers(t, b, `{"type":"pong"}`) {
					break
				}
			}
			c.expectClose(4400)
			r.wantStored("a/1")
			first := r.dial()
			first.send(bad)
			first.expectClose(4400)
		})
	}
}

// Protocol: 1003 is for "audio or other binary that is not JSON".
func TestBinary(t *testing.T) {
	audio := strings.Repeat("\x00\x7f\xff\x80", 160)
	for _, bad := range []string{audio, "", "RIFF", "[1]", `{"type":`, "{" + audio} {
		run(t, ingest.Config{}, func(r *rig) {
			c := r.dial()
			if err := c.ws.WriteMessage(2, []byte(bad)); err != nil {
				t.Fatal(err)
			}
			c.expectClose(1003)
		})
	}
}

// Protocol: "1 MiB a frame at most", else 1009; within a frame an utterance that
// is too long is nacked `too_large`.
func TestTooBig(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		c.send(say("a", 1, `"content":"`+strings.Repeat("x", 32<<10)+`"`))
		c.expect(ack("a", 1))
		c.send(say("a", 2, `"content":"`+strings.Repeat("x", 32<<10+1)+`"`))
		c.expect(`{"type":"nack","seq":2,"code":"too_large","message":"content is 32769 bytes long, at most 32768 are taken"}`)
		just := say("a", 3)
		c.send(just + strings.Repeat(" ", 1<<20-len(just)))
		c.expect(ack("a", 3))
		// The server may have closed before the last byte was written.
		_ = c.ws.WriteMessage(1, []byte(say("a", 4, `"content":"`+strings.Repeat("x", 2<<20)+`"`)))
		c.expectClose(1009)
		r.wantStored("a/1 a/3")
		r.wantMetric(`steno_ingest_nacks_total{code="too_large"}`, "1")
	})
}

// Protocol: "A bad utterance is a nack, never a close", and the nack names the
// field and its fault; it never repeats what was said in the call.
func TestInvalidUtterances(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k", twoChannels))
		c.expect(opened("a", 0))
		seq := 0
		bad := func(fields, text string) {
			t.Helper()
			seq++
			c.send(fmt.Sprintf(`{"type":"utterance","stream":"a","seq":%d,%s}`, seq, fields))
			c.expect(fmt.Sprintf(`{"type":"nack","stream":"a","seq":%d,"code":"invalid","message":%q}`, seq, text))
		}
		const who = `"senderType":"END_USER",`
		const when = `"startTime":1573503300000,"endTime":1573503300001,`
		const what = `"content":"secret"`
		// Wrong types.
		bad(who+`"startTime":"1573503300000","endTime":1573503300001,`+what, `startTime must be a whole number of milliseconds, is the string "1573503300000"`)
		bad(who+`"startTime":1573503300000.5,"endTime":1573503300001,`+what, `startTime must be a whole number of milliseconds, is the number 1573503300000.5`)
		bad(who+`"startTime":1573503300000,"endTime":[],`+what, `endTime must be a whole number of milliseconds, is an array`)
		bad(who+`"startTime":1e400,"endTime":1,`+what, `startTime must be a whole number of milliseconds, is the number 1e400`)
		bad(who+when+`"content":{"text":"secret"}`, `content must be a string`)
		bad(who+when+`"content":17`, `content must be a string`)
		bad(who+when+`"urgent":1,`+what, `urgent must be true or false, is the number 1`)
		bad(who+when+`"messageId":17,`+what, `messageId must be a string, is the number 17`)
		bad(`"senderType":["END_USER"],`+when+what, `senderType must be a string, is an array`)
		bad(who+`"participantId":true,`+when+what, `participantId must be a string, is true`)
		// Missing and empty.
		bad(who+when+`"messageId":null`, `content is missing`)
		bad(who+when+`"content":" \n"`, `content is empty`)
		bad(who+`"endTime":1573503300001,`+what, `startTime is missing`)
		bad(who+`"startTime":1573503300001,`+what, `endTime is missing`)
		bad(when+what, `senderType is missing`)
		// Times.
		bad(who+`"startTime":1573503300001,"endTime":1573503300000,`+what, `endTime is before startTime, by 1 ms`)
		bad(who+`"startOffset":9,"endOffset":3,`+what, `endTime is before startTime, by 6 ms`)
		bad(who+`"startOffset":-1,"endOffset":3,`+what, `startOffset is -1, must not be negative`)
		bad(who+`"startOffset":1573503300000000,"endOffset":3,`+what, `startOffset is 1573503300000000, far too large for milliseconds since the stream's startTime`)
		bad(who+`"startTime":1573503300,"endTime":1573503301,`+what, `startTime is 1573503300, which looks like seconds: milliseconds are wanted`)
		bad(who+`"startTime":0,"endTime":0,`+what, `startTime is 0, which looks like seconds: milliseconds are wanted`)
		bad(who+`"startTime":1573503300000,"endTime":1573503300000000,`+what, `endTime is 1573503300000000, which looks like microseconds: milliseconds are wanted`)
		bad(who+`"startTime":-5,"endTime":5,`+what, `startTime is -5, before 1970: UTC milliseconds since the epoch are wanted`)
		// Who.
		const senders = `senderType must be END_USER, EXTERNAL_USER, HUMAN_AGENT, SUPERVISOR or VIRTUAL_AGENT, is the string `
		bad(`"senderType":"AGENT",`+when+what, senders+`"AGENT"`)
		bad(`"senderType":"end_user",`+when+what, senders+`"end_user"`)
		bad(`"senderType":"",`+when+what, senders+`""`)
		bad(`"senderType":"HUMAN_AGENT",`+when+what, `participantId of a HUMAN_AGENT must be a Salesforce user id, which begins with 005, is missing`)
		bad(`"senderType":"HUMAN_AGENT","participantId":"bob",`+when+what, `participantId of a HUMAN_AGENT must be a Salesforce user id, which begins with 005, is the string "bob"`)
		bad(`"senderType":"HUMAN_AGENT","participantId":"005/../x",`+when+what, `participantId of a HUMAN_AGENT must be a Salesforce user id, which begins with 005, is the string "005/../x"`)
		bad(`"senderType":"EXTERNAL_USER",`+when+what, `participantId is missing: an EXTERNAL_USER needs one`)
		bad(`"channel":"7",`+when+what, `channel is the string "7", which open did not name`)
		bad(who+`"messageId":"`+strings.Repeat("x", 256)+`",`+when+what, `messageId is 256 bytes long, at most 255 are taken`)
		r.wantStored("")
		c.send(say("a", seq+1))
		c.expect(ack("a", seq+1))
		r.wantMetric(`steno_ingest_nacks_total{code="invalid"}`, fmt.Sprint(seq))
	})
}

// An offset without the stream's startTime.
func TestOffsetWithoutStart(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), `{"type":"utterance","seq":1,"senderType":"END_USER","startOffset":1,"endOffset":2,"content":"x"}`)
		c.expect(opened("a", 0), `{"type":"nack","seq":1,"code":"invalid","message":"startOffset needs the startTime of the stream, which open did not give"}`)
	})
}

// An utterance without a usable seq is nacked with seq 0, and changes nothing.
func TestUnusableSeq(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		bad := func(seq, text string) {
			t.Helper()
			c.send(`{"type":"utterance","stream":"a","seq":` + seq + `,"senderType":"END_USER","startTime":1573503300000,"endTime":1573503300001,"content":"x"}`)
			c.expect(fmt.Sprintf(`{"type":"nack","stream":"a","seq":0,"code":"invalid","message":%q}`, text))
		}
		bad("0", "seq must be a whole number above 0, is the number 0")
		bad("-1", "seq must be a whole number above 0, is the number -1")
		bad(`"1"`, `seq must be a whole number above 0, is the string "1"`)
		bad("1.5", "seq must be a whole number above 0, is the number 1.5")
		bad("null", "seq must be a whole number above 0, is missing")
		bad("{}", "seq must be a whole number above 0, is an object")
		bad("1e30", "seq must be a whole number above 0, is the number 1e30")
		c.send(say("a", 1))
		c.expect(ack("a", 1))
	})
}

// A stream that is named badly is not open, and a long name is not sent back.
func TestBadStreamName(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"))
		c.expect(opened("a", 0))
		bad := func(stream, text string) {
			t.Helper()
			c.send(`{"type":"utterance","stream":` + stream + `,"seq":1}`)
			c.expect(fmt.Sprintf(`{"type":"nack","stream":"","seq":1,"code":"unknown_stream","message":%q}`, text))
		}
		bad(`7`, "stream must be a string, is the number 7")
		bad(`{"a":1}`, "stream must be a string, is an object")
		bad(`false`, "stream must be a string, is false")
		bad(`1`+strings.Repeat("0", 50), "stream must be a string, is a number of 51 digits")
		bad(`"`+strings.Repeat("x", 256)+`"`, "stream is a string of 256 bytes")
		c.send(`{"type":"utterance","stream":"b","seq":1}`, `{"type":"close","stream":"b"}`)
		c.expect(nack("b", 1, "unknown_stream"), `{"type":"error","stream":"b","code":"unknown_stream","message":"stream is the string \"b\", which is not open on this connection"}`)
	})
}

// Invalid UTF-8 is replaced: one bad byte must not cost an utterance.
func TestInvalidUTF8(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		c := r.dial()
		c.send(open("a", "k"), say("a", 1, "\"content\":\"caf\xe9 au lait\""), say("a", 2, `"content":"half \ud83d a pair"`))
		c.expect(opened("a", 0))
		for _, m := range r.messages() {
			if !strings.Contains(m.Content, "\uFFFD") {
				t.Errorf("content is %q, want U+FFFD for what is no text", m.Content)
			}
		}
	})
}

// Two clients on one stream: the newer has it, however often that changes, and
// nothing is lost or doubled.
func TestTwoClientsOnOneStream(t *testing.T) {
	run(t, ingest.Config{}, func(r *rig) {
		var older *client
		for i := range 6 {
			c := r.dial()
			c.send(open("a", "k"))
			c.expect(opened("a", i))
			if older != nil {
				older.expectClose(4409)
			}
			c.send(say("a", i+1))
			c.expect(ack("a", i+1))
			older = c
		}
		r.wantStored("a/1 a/2 a/3 a/4 a/5 a/6")
	})
}

// A million streams: one connection gets 4429, and all connections together
// `overloaded`; who has a stream keeps it.
func TestAMillionStreams(t *testing.T) {
	run(t, ingest.Config{MaxStreams: 100, MaxStreamsTotal: 250}, func(r *rig) {
		good := r.dial()
		good.send(open("good", "good"), say("good", 1))
		good.expect(opened("good", 0), ack("good", 1))
		var attackers []*client
		for i := range 4 {
			c := r.dial()
			attackers = append(attackers, c)
			go func() {
				for j := range 1_000_000 {
					if c.ws.WriteMessage(1, []byte(open(fmt.Sprint(j), fmt.Sprint("k", i)))) != nil {
						return
					}
				}
			}()
			synctest.Wait()
		}
		for i, c := range attackers {
			answers := map[string]int{}
			for b := c.next(); b != nil; b = c.next() {
				for _, kind := range []string{`{"type":"opened"}`, `{"code":"overloaded"}`} {
					if covers(t, b, kind) {
						answers[kind]++
					}
				}
				if len(answers) == 2 {
					break
				}
			}
			if answers[`{"type":"opened"}`] > 100 {
				t.Errorf("connection %d had %d streams, want 100 at most", i, answers[`{"type":"opened"}`])
			}
			c.ws.Close()
		}
		good.send(say("good", 2))
		good.expect(ack("good", 2))
	})
}
