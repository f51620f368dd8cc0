package relay_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"example.com/steno/bench/memnet"
	"example.com/steno/ingest"
	"example.com/steno/ingest/client"
	"example.com/steno/ingest/relay"
)

func open(stream, call string) string {
	return fmt.Sprintf(`{"type":"open","stream":%q,"vendorCallKey":%q}`, stream, call)
}

func utterance(stream string, seq int, id string) string {
	return fmt.Sprintf(`{"type":"utterance","stream":%q,"seq":%d,"messageId":%q,"senderType":"END_USER","startTime":1573503300000,"endTime":1573503300001,"content":"words"}`, stream, seq, id)
}

// wants reads messages until each of the beginnings was met, in any order.
func (p *person) wants(beginnings ...string) {
	p.t.Helper()
	for len(beginnings) > 0 {
		got := p.next()
		met := false
		for i, b := range beginnings {
			if strings.HasPrefix(got, b) {
				beginnings = append(beginnings[:i:i], beginnings[i+1:]...)
				met = true
				break
			}
		}
		if !met {
			p.t.Fatalf("got %s, want one that begins with any of %q", got, beginnings)
		}
	}
}

// TestOneConnectionManyOwners: N1, N2, N4, and the end of a connection.
func TestOneConnectionManyOwners(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		p := c.dialDoor("/v1/ingest", "Sec-WebSocket-Protocol", "steno.v1", "Authorization", "Bearer of the client")
		for i := range 4 {
			p.send(open(fmt.Sprint("leg", i), callIn(i, 1)) + "\n" + utterance(fmt.Sprint("leg", i), 1, fmt.Sprint("m", i)))
			p.wants(fmt.Sprintf(`{"type":"opened","stream":"leg%d"`, i), fmt.Sprintf(`{"type":"ack","stream":"leg%d","seq":1}`, i))
		}
		p.send(`{"type":"ping"}`)
		p.wants(`{"type":"pong"}`)
		p.send(utterance("leg2", 2, "m5"), utterance("nobody", 1, "m6"), `{"type":"close","stream":"leg2","reason":"end"}`, `{"type":"ping"}`)
		p.wants(`{"type":"ack","stream":"leg2","seq":2}`, `{"type":"nack","stream":"nobody","seq":1,"code":"unknown_stream"`, `{"type":"closed","stream":"leg2","acked":2}`, `{"type":"pong"}`)
		_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		p.wants("close 1000")
		for i, want := range []map[string][]string{{callIn(0, 1): {"m0"}}, {callIn(1, 1): {"m1"}}, {callIn(2, 1): {"m2", "m5"}}, {callIn(3, 1): {"m3"}}} {
			if got := c.said(i); !reflect.DeepEqual(got, want) {
				t.Errorf("partition %d has %v, want %v", i, got, want)
			}
			if got := c.owners[i].asked[0].Header.Get("Authorization"); got != "Bearer "+key {
				t.Errorf("the owner was shown %q", got)
			}
		}
	})
}

// TestNameless: N3.
func TestNameless(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		p := c.dialDoor("/v1/ingest")
		say := func(seq int) string {
			return strings.Replace(utterance("x", seq, ""), `"stream":"x",`, "", 1)
		}
		p.send(open("a", callIn(0, 1)), say(1), open("b", callIn(1, 1)), say(1))
		p.wants(`{"type":"opened","stream":"a"`, `{"type":"ack","stream":"a","seq":1}`, `{"type":"opened","stream":"b"`, `{"type":"nack","stream":"","seq":1,"code":"unknown_stream"`)
		p.send(`{"type":"close","stream":"a"}`, say(1), `{"type":"close"}`)
		p.wants(`{"type":"closed","stream":"a"`, `{"type":"ack","stream":"b","seq":1}`, `{"type":"closed","stream":"b"`)
		p.send(`{"type":"open","stream":"c"}`, open("d", callIn(2, 1)))
		p.wants(`{"type":"error","stream":"c","code":"invalid"`, `{"type":"opened","stream":"d"`)
		p.send(say(1)) // c was refused, so d is the only one
		p.wants(`{"type":"ack","stream":"d","seq":1}`)
		p.send(open("e", callIn(0, 1)))
		p.wants(`{"type":"opened","stream":"e"`)
		p.send(strings.Replace(utterance("x", 2, ""), `"stream":"x"`, `"stream":null`, 1)) // which is no name either
		p.wants(`{"type":"nack","stream":"","seq":2,"code":"unknown_stream"`)
		p.ws.Close()
	})
}

// TestOvertaken: a client that has come back is not turned out by what it had
// said before, which was held up between door and owner.
func TestOvertaken(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		late := c.dialDoor("/v1/ingest", ingest.HeaderSince, "9999999999999999")
		late.send(open("a", callIn(0, 1)))
		late.wants(`{"type":"opened","stream":"a"`)
		time.Sleep(time.Second)
		p := c.dialDoor("/v1/ingest")
		p.send(open("b", callIn(1, 1)))
		p.wants(`{"type":"opened","stream":"b"`)
		late.send(open("b", callIn(1, 1)))
		late.wants(`{"type":"reconnect"`, "close 1013")
		p.send(open("a", callIn(0, 1)), utterance("b", 1, "m"))
		p.wants(`{"type":"opened","stream":"a"`, `{"type":"ack","stream":"b","seq":1}`)
		p.ws.Close()
	})
}

// TestOpenedTwice: N2, of an open.
func TestOpenedTwice(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		p := c.dialDoor("/v1/ingest")
		p.send(open("a", callIn(0, 1)), open("b", callIn(1, 1)))
		p.wants(`{"type":"opened","stream":"a"`, `{"type":"opened","stream":"b"`)
		for seq, call := range []string{callIn(1, 1), callIn(2, 1)} {
			p.send(open("b", call))
			p.wants(`{"type":"error","stream":"b","code":"duplicate_stream"`)
			p.send(utterance("b", seq+1, ""))
			p.wants(fmt.Sprintf(`{"type":"ack","stream":"b","seq":%d}`, seq+1))
		}
		p.ws.Close()
	})
}

// TestWrongFirstWords: what is wrong is an owner's to say.
func TestWrongFirstWords(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		for frame, want := range map[string]string{
			`{"type":"ping"}`: "close 4400", `nonsense`: "close 4400", utterance("a", 1, "m"): "close 4400",
			"{\"type\":\"open\",\"stream\":\"a\",\"vendorCallKey\":\"c\"}\nnonsense": `{"type":"opened"`,
		} {
			p := c.dialDoor("/v1/ingest")
			p.send(frame)
			p.wants(want)
			p.ws.Close()
		}
		p := c.dialDoor("/v1/ingest")
		_ = p.ws.WriteMessage(websocket.BinaryMessage, []byte{1, 2, 3})
		p.wants("close 1003")
		p = c.dialDoor("/v1/ingest")
		p.send(open("a", "c"))
		p.wants(`{"type":"opened"`)
		_ = p.ws.WriteMessage(websocket.TextMessage, make([]byte, 2<<20))
		p.wants("close 1009")
	})
}

// TestWrongLastWords: what was said before goes where it belongs, once.
func TestWrongLastWords(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		p := c.dialDoor("/v1/ingest")
		p.send(open("a", callIn(0, 1)) + "\n" + utterance("a", 1, "m1") + "\n" + open("b", callIn(1, 1)) + "\n" + utterance("b", 1, "m2") + "\nnonsense")
		for got := ""; got != "close 4400"; {
			if got = p.next(); strings.HasPrefix(got, "close") && got != "close 4400" {
				t.Fatalf("got %s, want 4400", got)
			}
		}
		time.Sleep(time.Second)
		for i, want := range []map[string][]string{{callIn(0, 1): {"m1"}}, {callIn(1, 1): {"m2"}}} {
			if got := c.said(i); !reflect.DeepEqual(got, want) {
				t.Errorf("partition %d has %v, want %v", i, got, want)
			}
		}
	})
}

// TestOwnerEnds: however an owner goes, the client is told to come again.
func TestOwnerEnds(t *testing.T) {
	f := func(end func(*cluster, int), want ...string) {
		t.Helper()
		run(t, relay.Config{}, func(c *cluster) {
			p := c.dialDoor("/v1/ingest")
			p.send(open("a", callIn(0, 1)), open("b", callIn(1, 1)), utterance("a", 1, "m"))
			p.wants(`{"type":"opened","stream":"a"`, `{"type":"opened","stream":"b"`, `{"type":"ack","stream":"a"`)
			end(c, 0)
			p.wants(want...)
			p.ws.Close()
		})
	}
	f(func(c *cluster, p int) { // a clean hand-over: the owner says so itself, once
		_ = c.owners[p].server.Drain(c.t.Context())
	}, `{"type":"reconnect"`, "close 1001")
	f((*cluster).lose, `{"type":"reconnect"`, "close 1001")
	f(func(c *cluster, p int) { // it hangs, and another one is in its place
		hung := c.owners[p]
		c.own(p)
		c.t.Cleanup(hung.kill)
	}, `{"type":"reconnect"`, "close 1001")
}

// TestOwnerIsSilent: one that nobody hears of any more, and whom the cluster
// believes to be there, does not keep a client waiting for ever.
func TestOwnerIsSilent(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		c.lose(0)
		silent := &owner{address: "silent:1", net: memnet.Listen()}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			upgrader := websocket.Upgrader{}
			ws, err := upgrader.Upgrade(w, r, nil)
			for err == nil {
				_, _, err = ws.NextReader()
			}
			if ws != nil {
				ws.Close()
			}
		})}
		go server.Serve(silent.net)
		silent.kill = func() { server.Close() }
		c.set(0, silent)
		p := c.dialDoor("/v1/ingest")
		p.send(open("a", callIn(0, 1)))
		begun := time.Now()
		_ = p.ws.SetReadDeadline(time.Now().Add(5 * time.Minute))
		if _, b, err := p.ws.ReadMessage(); err != nil || !strings.HasPrefix(string(b), `{"type":"reconnect"`) {
			t.Errorf("got %s, %v, want to be told to reconnect", b, err)
		}
		if took := time.Since(begun); took > 70*time.Second {
			t.Errorf("it took %v", took)
		}
		p.ws.Close()
	})
}

// TestForeignOwner: that two daemons have different keys is not told the client
// as if its token were wrong, which it would take for final.
func TestForeignOwner(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		c.lose(0)
		c.ownersKey = "of another cluster"
		c.own(0)
		if response, _ := c.post("/v1/calls/"+callIn(0, 1)+"/utterances", "application/json", `{}`); response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %v, want 503", response)
		}
		if _, response, err := c.tryDoor("/v1/ingest/vosk?call=" + callIn(0, 1)); err == nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %v, want 503", response)
		}
		p := c.dialDoor("/v1/ingest")
		p.send(open("a", callIn(0, 1)))
		p.wants(`{"type":"reconnect"`, "close 1013")
	})
}

// TestTakeover: the owner closes the older connection of a stream, and so does
// the door.
func TestTakeover(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		first, second := c.dialDoor("/v1/ingest"), c.dialDoor("/v1/ingest")
		first.send(open("a", callIn(3, 1)))
		first.wants(`{"type":"opened"`)
		second.send(open("a", callIn(3, 1)))
		second.wants(`{"type":"opened"`)
		first.wants("close 4409")
	})
}

// TestPatience: a client waits for an owner, and not for ever.
func TestPatience(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		c.lose(0)
		time.AfterFunc(4*time.Second, func() { c.own(0) })
		p := c.dialDoor("/v1/ingest/vosk?call=" + callIn(0, 1))
		p.ws.Close()
		c.lose(0)
		p = c.dialDoor("/v1/ingest")
		p.send(open("a", callIn(0, 1))) // who is connected does not wait: it comes again
		p.wants(`{"type":"reconnect"`, "close 1013")
		if _, response, err := c.tryDoor("/v1/ingest/vosk?call=" + callIn(0, 1)); err == nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %v, want 503", response)
		}
		response, _ := c.post("/v1/calls/"+callIn(0, 1)+"/utterances", "application/json", `{}`)
		if response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") == "" {
			t.Errorf("got %v, want 503", response)
		}
	})
}

// TestEngines: the URL names the call, or the engine does.
func TestEngines(t *testing.T) {
	const vosk = `{"result":[{"conf":1,"start":0.1,"end":0.5,"word":"hello"}],"text":"hello"}`
	run(t, relay.Config{}, func(c *cluster) {
		p := c.dialDoor("/v1/ingest/vosk?call="+callIn(2, 1)+"&start=1573503300000&token=secret", "Sec-WebSocket-Protocol", "vosk")
		if p.ws.Subprotocol() != "vosk" {
			t.Errorf("the subprotocol is %q", p.ws.Subprotocol())
		}
		p.send(vosk)
		_ = p.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
		p.wants("close 1000")
		if got := c.said(2)[callIn(2, 1)]; len(got) != 1 {
			t.Errorf("the spool has %v", got)
		}
		if asked := c.owners[2].asked[0].URL; strings.Contains(asked.String(), "secret") {
			t.Errorf("the owner was shown the client's token: %s", asked)
		}

		call := callIn(1, 7) // named by the engine
		p = c.dialDoor("/v1/ingest/twilio-conversationrelay")
		p.send(fmt.Sprintf(`{"type":"setup","sessionId":"VX1","callSid":%q}`, call), `{"type":"prompt","voicePrompt":"hello","lang":"en","last":true}`)
		time.Sleep(10 * time.Second)
		p.ws.Close()
		time.Sleep(time.Second)
		if got := c.said(1)[call]; len(got) != 1 {
			t.Errorf("the spool has %v", got)
		}

		for path, want := range map[string]int{"/v1/ingest/nobody?call=a": 404, "/v1/ingest/vosk?call=a&urgent=x": 400, "/v1/ingest/twilio-transcription?call=a": 405} {
			if _, response, err := c.tryDoor(path); err == nil || response.StatusCode != want {
				t.Errorf("%s: got %v, want %d", path, response, want)
			}
		}
		p = c.dialDoor("/v1/ingest/vosk") // neither names it
		p.send(vosk)
		if got := p.next(); !strings.HasPrefix(got, "close ") {
			t.Errorf("got %s, want a close", got)
		}
	})
}

// TestEngineVanishes: an engine that is lost has not ended its stream (L3).
func TestEngineVanishes(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		p := c.dialDoor("/v1/ingest/vosk?call=" + callIn(0, 1))
		p.send(`{"text":"hello"}`)
		time.Sleep(time.Second)
		p.ws.Close()
		time.Sleep(time.Second)
		connections, calls := c.owners[0].server.Active()
		if connections != 0 || calls != 1 {
			t.Errorf("the owner has %d connections and %d calls, want 0 and 1 that waits", connections, calls)
		}
	})
}

// TestPosts: requests find the owner of their call.
func TestPosts(t *testing.T) {
	run(t, relay.Config{}, func(c *cluster) {
		post := func(path, contentType, body string, want int) {
			t.Helper()
			response, text := c.post(path, contentType, body)
			if response.StatusCode != want {
				t.Errorf("%s: %d %s, want %d", path, response.StatusCode, text, want)
			}
		}
		one := `{"messageId":"m","senderType":"END_USER","startTime":1573503300000,"endTime":1573503300001,"content":"words"}`
		post("/v1/calls/"+callIn(3, 1)+"/utterances", "application/json", one, 202)
		post("/v1/calls/"+callIn(3, 1)+"/utterances", "application/json", `{}`, 400)
		post("/v1/calls//utterances", "application/json", one, 400)
		lens := fmt.Sprintf(`{"Version":"1.0.0","Channel":"VOICE","EventType":"SEGMENTS","ContactId":%q,"Segments":[{"Transcript":{"Id":"t1","ParticipantId":"CUSTOMER","ParticipantRole":"CUSTOMER","Content":"hello","BeginOffsetMillis":1,"EndOffsetMillis":2}}]}`, callIn(2, 5))
		post("/v1/ingest/contact-lens", "application/json", lens, 202)
		post("/v1/ingest/twilio-transcription", "application/x-www-form-urlencoded", strings.Repeat("a", 2<<20), 413)
		post("/v1/ingest/nobody", "application/json", one, 404)
		if got := c.said(3)[callIn(3, 1)]; !reflect.DeepEqual(got, []string{"m"}) {
			t.Errorf("the spool has %v", got)
		}
		if got := c.said(2)[callIn(2, 5)]; len(got) != 1 {
			t.Errorf("the spool has %v", got)
		}
		// A route that is out of date: who is asked knows better, and the door asks again.
		c.swap(0, 1)
		time.AfterFunc(3*time.Second, func() { c.swap(0, 1) })
		post("/v1/calls/"+callIn(0, 1)+"/utterances", "application/json", one, 202)
	})
}

// TestFull: no more connections than the door may have.
func TestFull(t *testing.T) {
	run(t, relay.Config{MaxConnections: 1}, func(c *cluster) {
		first := c.dialDoor("/v1/ingest")
		if _, response, err := c.tryDoor("/v1/ingest"); err == nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %v, want 503", response)
		}
		first.ws.Close()
		time.Sleep(3 * time.Second)
		body, slowly := io.Pipe() // a body that does not end takes a place too
		var posting sync.WaitGroup
		posting.Go(func() {
			client := http.Client{Transport: &http.Transport{DialContext: c.net.Dial, DisableKeepAlives: true}}
			if response, err := client.Post("http://steno/v1/calls/x/utterances", "application/json", body); err == nil {
				response.Body.Close()
			}
		})
		time.Sleep(time.Second)
		if _, response, err := c.tryDoor("/v1/ingest"); err == nil || response.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("beside a request: got %v, want 503", response)
		}
		slowly.Close()
		posting.Wait()
		c.dialDoor("/v1/ingest").ws.Close()
	})
}

// TestMovesLoseNothing: clients that resume get everything through, in order,
// however owners come and go.
func TestMovesLoseNothing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		moves := rapid.SliceOfN(rapid.Custom(func(rt *rapid.T) [3]int {
			return [3]int{rapid.IntRange(0, 3).Draw(rt, "partition"), rapid.IntRange(0, 2000).Draw(rt, "after ms"), rapid.IntRange(0, 4000).Draw(rt, "away ms")}
		}), 1, 8).Draw(rt, "moves")
		run(t, relay.Config{}, func(c *cluster) {
			people, err := client.New(client.Config{URL: "ws://steno/v1/ingest", Dialer: &websocket.Dialer{NetDialContext: c.net.Dial}})
			if err != nil {
				t.Fatal(err)
			}
			go people.Run(c.t.Context())
			const calls, words = 8, 30
			want := [4]map[string][]string{{}, {}, {}, {}}
			go func() {
				for _, m := range moves {
					time.Sleep(time.Duration(m[1]) * time.Millisecond)
					c.lose(m[0])
					time.Sleep(time.Duration(m[2]) * time.Millisecond)
					c.own(m[0])
				}
			}()
			var streams []*client.Stream
			for i := range calls {
				s, err := people.Open(client.Open{Stream: fmt.Sprint("leg", i), VendorCallKey: callIn(i%4, i)})
				if err != nil {
					t.Fatal(err)
				}
				streams = append(streams, s)
			}
			for n := range words {
				for i, s := range streams {
					id, call := fmt.Sprint(i, "-", n), callIn(i%4, i)
					if _, err := s.Send(c.t.Context(), client.Utterance{MessageID: id, SenderType: "END_USER", StartTime: 1573503300000, EndTime: 1573503300001, Content: "words"}); err != nil {
						t.Fatal(err)
					}
					want[i%4][call] = append(want[i%4][call], id)
				}
				time.Sleep(100 * time.Millisecond)
			}
			patience, over := context.WithTimeout(c.t.Context(), 5*time.Minute)
			defer over()
			if err := people.Close(patience); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute) // the last moves are over
			for p := range want {
				got := c.said(p)
				for call, ids := range got {
					got[call] = once(ids) // a new owner knows nothing of what the last one has taken: here the spools are in memory
				}
				if !reflect.DeepEqual(got, want[p]) {
					t.Errorf("partition %d has %v, want %v", p, got, want[p])
				}
			}
		})
	})
}

// once leaves the first of each.
func once(ids []string) []string {
	seen, first := map[string]bool{}, []string{}
	for _, id := range ids {
		if !seen[id] {
			first = append(first, id)
		}
		seen[id] = true
	}
	return first
}
