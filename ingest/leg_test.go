package ingest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
)

// The door names what is wrong with a URL, before the handshake.
func TestEngineDoorRefuses(t *testing.T) {
	cfg := scripted
	cfg.Org = "acme"
	cfg.Tokens = []string{"open"}
	run(t, cfg, func(r *rig) {
		f := func(method, path string, status int, text string) {
			t.Helper()
			var got struct{ Error struct{ Message string } }
			var body string
			var code int
			if method == "POST" {
				code, body, _ = r.post(path, two, "X-API-Key", "open")
			} else {
				_, response, err := r.tryDial(path, "X-API-Key", "open")
				if err == nil {
					t.Errorf("%s is let in", path)
					return
				}
				b := make([]byte, 4096)
				n, _ := response.Body.Read(b)
				code, body = response.StatusCode, string(b[:n])
			}
			if err := json.Unmarshal([]byte(body), &got); err != nil || code != status || got.Error.Message != text {
				t.Errorf("%s %s: %d %s\nwant %d %s", method, path, code, body, status, text)
			}
		}
		f("GET", "/v1/ingest/nobody?call=k", 404, `there is no dialect the string "nobody": there are script, push, socket`)
		f("GET", "/v1/ingest/push?call=k", 405, "push pushes over HTTP: POST its messages here")
		f("POST", "/v1/ingest/socket?call=k", 405, "socket speaks over a WebSocket: connect one here")
		f("GET", "/v1/ingest/script?call=", 400, "call is missing or empty")
		f("GET", "/v1/ingest/script?call=0LQxx00000000AB", 400, "call is a Salesforce voiceCallId: the telephony system's own key is wanted")
		f("GET", "/v1/ingest/script?call=k&start=1573503300", 400, "start is 1573503300, which looks like seconds: milliseconds are wanted")
		f("GET", "/v1/ingest/script?call=k&start=now", 400, `start must be a whole number of milliseconds, is the string "now"`)
		f("GET", "/v1/ingest/script?call=k&urgent=yes", 400, `urgent must be true or false, is the string "yes"`)
		f("GET", "/v1/ingest/script?call=k&channel.1=HUMAN_AGENT", 400, "channel.1.participantId of a HUMAN_AGENT must be a Salesforce user id, which begins with 005, is missing")
		f("GET", "/v1/ingest/script?call=k&speaker.A=CUSTOMER", 400, `speaker.A.senderType must be END_USER, EXTERNAL_USER, HUMAN_AGENT, SUPERVISOR or VIRTUAL_AGENT, is the string "CUSTOMER"`)
		f("GET", "/v1/ingest/script?call=k&odd=1", 400, `odd is "1", and nothing is`)
		f("GET", "/v1/ingest/script?call=k&parent=%00", 400, "parent has a control character at byte 0")
		f("GET", "/v1/ingest/script?call=k&org=other", 400, `org is the string "other", which is not configured here`)
		f("POST", "/v1/ingest/script", 400, "call is missing or empty")
		if _, response, err := r.tryDial("/v1/ingest/script?call=k"); err == nil || response.StatusCode != http.StatusUnauthorized {
			t.Errorf("without a token: %v %+v, want 401", err, response)
		}
		if _, _, err := r.tryDial("/v1/ingest/script?call=k", "Sec-WebSocket-Protocol", "token, open"); err != nil {
			t.Errorf("a token in the subprotocols, as some engines' clients have it: %v", err)
		}
	})
}

// Subprotocols: one of the client's, never a secret.
func TestEngineSubprotocols(t *testing.T) {
	run(t, scripted, func(r *rig) {
		f := func(dialect, offered, want string) {
			t.Helper()
			_, response, err := r.tryDial("/v1/ingest/"+dialect+"?call=k", "Sec-WebSocket-Protocol", offered)
			if err != nil {
				t.Fatalf("%s: %v", offered, err)
			}
			if got := response.Header.Get("Sec-WebSocket-Protocol"); got != want {
				t.Errorf("of %s it chose %q, want %q", offered, got, want)
			}
		}
		f("script", "other, ws.script.org", "ws.script.org")
		f("script", "other, steno.v1", "steno.v1")
		f("script", "other", "")
		f("socket", "other, more", "other")
		f("socket", "bearer.secret, steno.v1", "steno.v1")
		f("socket", "token, s3cret", "token")
		f("socket", "openai-insecure-api-key.sk-1, realtime", "realtime")
		f("socket", strings.Repeat("x", 41), "")
	})
}

// Each POST stands alone, and is safe when it is answered.
func TestPush(t *testing.T) {
	run(t, scripted, func(r *rig) {
		f := func(path, body string, status int, answer string) {
			t.Helper()
			if got, text, _ := r.post(path, body); got != status || text != answer {
				t.Errorf("POST %s %s: %d %s, want %d %s", path, body, got, text, status, answer)
			}
		}
		on0 := strings.Replace(one, `"kind"`, `"ch":"0","kind"`, 1)
		f("/v1/ingest/push?call=k&start=1573503300000&channel.1=HUMAN_AGENT:005xx", on0+"\n"+strings.Replace(two, `"kind"`, `"ch":"1","kind"`, 1), 202, `{"acked":2}`)
		r.wantSaid("005xx@/0 two", "kEND_USER@/0 one") // it is the end of the request that ends the piece
		f("/v1/ingest/push?call=k&start=1573503300000&channel.1=HUMAN_AGENT:005xx", on0, 202, `{"acked":1}`)
		r.wantSaid()
		f("/v1/ingest/push?call=k", `{"kind":"partial","text":"x"}`, 202, `{"acked":0}`)
		f("/v1/ingest/push?call=k", `{"kind":"news"}`, 202, `{"acked":0}`)
		f("/v1/ingest/push", `{"kind":"begin","call":"b"}`+"\n"+three, 202, `{"acked":1}`)
		r.wantSaid("bEND_USER@/0 three")
		f("/v1/ingest/push?call=k", `{"kind":"final","text":"yes","hold":true}`, 202, `{"acked":1}`)
		f("/v1/ingest/push?call=k", `{"kind":"final","text":"yes"}`, 202, `{"acked":1}`) // nothing tells that it is the same
		r.wantSaid("kEND_USER@/0 yes", "kEND_USER@/0 yes")
		// In one request a better version is, and pieces are one utterance.
		f("/v1/ingest/script?call=k", `{"kind":"final","text":"no","id":"1","hold":true}`+"\n"+`{"kind":"final","text":"No.","id":"1"}`+"\n"+one+"\n"+two+"\n"+over, 202, `{"acked":2}`)
		r.wantSaid("kEND_USER@/0 No.", "kEND_USER@/0 one two")
		// A socket of the same leg knows each of them.
		r.engine("call=k").send(two, three)
		r.wantSaid("kEND_USER@script/1 three")
		f("/v1/ingest/push?call=k", `nonsense`, 400, `{"error":{"code":"invalid","message":"the body: not a frame of this dialect: it is not valid JSON"}}`)
		f("/v1/ingest/push?call=k", strings.Repeat(" ", 1<<20+1), 413, `{"error":{"code":"too_large","message":"a body holds at most 1048576 bytes"}}`)
	})
	synctest.Test(t, func(t *testing.T) {
		g := newGateSpool()
		r := start(t, scripted, g)
		go func() { <-g.asked; g.allow <- errDisk }()
		if status, _, after := r.post("/v1/ingest/push?call=k", two); status != 503 || after != "2" {
			t.Errorf("a spool that fails: %d, Retry-After %s, want 503 and 2", status, after)
		}
	})
}
