package ingest_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/batcher/spool"
	"example.com/steno/ingest"
	"github.com/gorilla/websocket"
)

// engine connects an engine of the script to a door.
func (r *rig) engine(query string, headers ...string) *client {
	r.t.Helper()
	c, response, err := r.tryDial("/v1/ingest/script?"+query, headers...)
	if err != nil {
		r.t.Fatalf("dial %s: %v, %+v", query, err, response)
	}
	return c
}

// said is what is stored, as text: "END_USER@stream/1 Hello".
func (r *rig) said() []string {
	r.t.Helper()
	var all []string
	for _, rec := range r.stored() {
		all = append(all, spoken(rec))
	}
	return all
}

func spoken(rec *spool.Record) string {
	if rec.Ended {
		return "end:" + rec.Call
	}
	var m struct{ ParticipantID, SenderType, Content string }
	if err := json.Unmarshal(rec.Message, &m); err != nil {
		panic(err)
	}
	return fmt.Sprintf("%s@%s/%d %s", m.ParticipantID, rec.Stream.ID, rec.Seq, m.Content)
}

func (r *rig) wantSaid(want ...string) {
	r.t.Helper()
	if got := r.said(); !slices.Equal(got, want) {
		r.t.Errorf("stored\n\t%q, want\n\t%q", got, want)
	}
}

const (
	one   = `{"kind":"piece","text":"one","start":0,"end":400}`
	two   = `{"kind":"final","text":"two","start":500,"end":900}`
	three = `{"kind":"final","text":"three","start":2000,"end":2400}`
	four  = `{"kind":"piece","text":"four","start":3000,"end":3400}`
	over  = `{"kind":"end"}`
)

// An engine's frames go in unchanged, and come out as utterances with the
// names and times of Salesforce; nothing is answered.
func TestEngine(t *testing.T) {
	run(t, scripted, func(r *rig) {
		c := r.engine("call=k&start=1573503300000&urgent=true&parent=first")
		c.send(one, two)
		synctest.Wait()
		r.wantMetric("steno_calls_active", "1")
		records := r.stored()
		if len(records) != 1 {
			t.Fatalf("stored %+v, want one utterance", records)
		}
		rec := records[0]
		want := `{"startTime":1573503300000,"endTime":1573503300900,"participantId":"firstEND_USER","messageId":"` + rec.MessageID + `","senderType":"END_USER","content":"one two"}`
		if string(rec.Message) != want || len(rec.MessageID) != 36 {
			t.Errorf("rendered %s\nwant %s", rec.Message, want)
		}
		if id := (spool.StreamID{Call: "k", ID: "script"}); rec.Stream != id || rec.Call != "first" || rec.Seq != 1 || rec.Epoch == "" || !rec.Urgent {
			t.Errorf("stored %+v, want an urgent utterance of %v", rec, id)
		}
		c.send(three, over)
		r.wantSaid("firstEND_USER@script/2 three", "end:first")
		r.wantMetric("steno_calls_active", "0")
		c.send(one, two, `{"kind":"final","text":"four","start":3000,"end":3400}`) // words after the end are words
		r.wantSaid("firstEND_USER@script#2/1 four")
		r.wantMetric("steno_calls_active", "1")
		r.wantMetric(`steno_ingest_engine_utterances_total{dialect="script"}`, "3")
		r.wantMetric("steno_utterances_duplicate_total", "2")
		c.quiet()
	})
}

// Who speaks: the label, the channel, all channels, what the engine tells, and
// what is usual.
func TestEngineSpeakers(t *testing.T) {
	run(t, scripted, func(r *rig) {
		n := 0
		f := func(query, ch, spk, want string) {
			t.Helper()
			n++
			c := r.engine(fmt.Sprintf("call=k%d&%s", n, query))
			c.send(`{"kind":"begin","channels":{"told":"VIRTUAL_AGENT","bad":"HUMAN_AGENT"}}`)
			c.send(fmt.Sprintf(`{"kind":"final","text":"x","ch":%q,"spk":%q}`, ch, spk))
			got, _, _ := strings.Cut(strings.Join(r.said(), " "), "@")
			if got = strings.Replace(got, fmt.Sprintf("k%d", n), "", 1); got != want {
				t.Errorf("?%s: channel %q, speaker %q is %q, want %q", query, ch, spk, got, want)
			}
		}
		f("", "", "", "END_USER")
		f("", "7", "S1", "END_USER")
		f("", "agent", "", "VIRTUAL_AGENT")
		f("", "outbound_track", "", "VIRTUAL_AGENT")
		f("", "CUSTOMER", "", "END_USER")
		f("", "told", "", "VIRTUAL_AGENT")
		f("", "bad", "", "END_USER")
		f("channel.told=SUPERVISOR", "told", "", "SUPERVISOR")
		f("channel.1=HUMAN_AGENT:005xx", "1", "", "005xx")
		f("channel.1=HUMAN_AGENT:005xx", "0", "", "END_USER")
		f("channel.1=HUMAN_AGENT:005xx", "", "", "005xx") // the only one that the URL names
		f("channel.0=END_USER&channel.1=HUMAN_AGENT:005xx", "", "", "END_USER")
		f("channel=HUMAN_AGENT:005xx", "whatever", "", "005xx")
		f("channel=HUMAN_AGENT:005xx&channel.0=END_USER", "0", "", "END_USER")
		f("channel.0=END_USER&speaker.S2=HUMAN_AGENT:005xx", "0", "S2", "005xx")
		f("channel.0=SUPERVISOR&speaker.S2=HUMAN_AGENT:005xx", "0", "S1", "SUPERVISOR")
	})
}

// E1: the engine may name the call, once or several times.
func TestEngineNamesTheCall(t *testing.T) {
	run(t, scripted, func(r *rig) {
		c := r.engine("")
		c.send(`{"kind":"noise"}`, `{"kind":"partial","text":"x"}`, `{"kind":"begin","call":"a"}`, one)
		c.send(`{"kind":"begin","call":"a","channels":{"":"SUPERVISOR"}}`, two, four, `{"kind":"begin","call":"b","began":1573503300000}`)
		synctest.Wait()
		r.wantSaid("aSUPERVISOR@script/1 one two", "aSUPERVISOR@script/2 four")
		c.send(three)
		if records := r.stored(); len(records) != 1 || !records[0].Spoken.Equal(time.UnixMilli(1573503302400)) {
			t.Errorf("stored %+v, want three as said 2.4 s after the engine's beginning", records)
		}
		c.send(over)
		r.wantSaid("end:b")

		c = r.engine("call=url")
		c.send(`{"kind":"begin","call":"a"}`, `{"kind":"final","text":"mine"}`)
		r.wantSaid("urlEND_USER@script/1 mine")

		for _, first := range []string{two, `{"kind":"begin"}`, `{"kind":"begin","call":"0LQxx00000000AB"}`} {
			c = r.engine("")
			c.send(first)
			c.expectClose(4400)
		}
	})
	cfg := scripted
	cfg.Org = "acme"
	run(t, cfg, func(r *rig) {
		c := r.engine("call=k&org=acme")
		c.send(`{"kind":"begin","org":"other"}`, two) // the URL wins
		r.wantSaid("kEND_USER@script/1 two")
		c = r.engine("call=k")
		c.send(`{"kind":"begin","org":"other"}`)
		c.expectClose(1008)
	})
}

// E3, E4: whatever ends a connection, what stands is safe; only the engine's
// end and a normal close are the stream's end.
func TestEngineConnectionEnds(t *testing.T) {
	f := func(name string, end func(r *rig, c *client), want ...string) {
		t.Run(name, func(t *testing.T) {
			run(t, scripted, func(r *rig) {
				c := r.engine("call=k&session=s")
				c.send(one, `{"kind":"partial","text":"last words"}`)
				synctest.Wait()
				end(r, c)
				r.wantSaid(want...)
			})
		})
	}
	lost, all := "kEND_USER@script/s/1 one", "kEND_USER@script/s/1 one last words"
	f("lost", func(r *rig, c *client) { c.ws.NetConn().Close() }, lost)
	f("idle", func(r *rig, c *client) { time.Sleep(3 * time.Second) }, lost)
	f("drained", func(r *rig, c *client) {
		if err := r.server.Drain(r.t.Context()); err != nil {
			r.t.Error(err)
		}
		c.expectClose(1001)
	}, lost)
	f("taken over", func(r *rig, c *client) {
		d := r.engine("call=k&session=s")
		c.expectClose(4409)
		d.send(one, two)
	}, lost, "kEND_USER@script/s/2 two")
	f("too big", func(r *rig, c *client) {
		c.send(strings.Repeat(" ", 1<<20+1))
		c.expectClose(1009)
	}, lost)
	f("audio", func(r *rig, c *client) {
		c.ws.WriteMessage(websocket.BinaryMessage, []byte{'{', 0, 0xff})
		c.expectClose(1003)
	}, lost)
	f("audio in text", func(r *rig, c *client) {
		c.send("audio")
		c.expectClose(1003)
	}, lost)
	f("going away", func(r *rig, c *client) { c.bye(1001) }, lost)
	f("done", func(r *rig, c *client) { c.bye(1000) }, all, "end:k")
	f("done without a code", func(r *rig, c *client) { c.bye(1005) }, all, "end:k")
}

// bye closes a connection as a client does.
func (c *client) bye(code int) {
	c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), time.Now().Add(time.Second))
	synctest.Wait()
}

// A connection that comes back goes on with its stream; two legs of a call are
// two streams, and the call ends with the last of them.
func TestEngineLegs(t *testing.T) {
	run(t, scripted, func(r *rig) {
		customer, agent := r.engine("call=k&channel.0=END_USER"), r.engine("call=k&channel.1=HUMAN_AGENT:005xx")
		customer.send(two)
		synctest.Wait()
		agent.send(two)
		r.wantSaid("kEND_USER@script/0/1 two", "005xx@script/1/1 two")
		customer.ws.NetConn().Close()
		synctest.Wait()
		customer = r.engine("call=k&channel.0=END_USER")
		customer.send(two, three)
		r.wantSaid("kEND_USER@script/0/2 three")
		agent.send(over)
		r.wantSaid()
		r.wantMetric("steno_calls_active", "1")

		twin := r.engine("call=k&channel.0=END_USER") // may be the same leg, which hangs, or another
		twin.send(three, `{"kind":"final","text":"four","start":3000,"end":3400}`, over)
		r.wantSaid("kEND_USER@script/0#2/1 four")
		customer.send(over)
		r.wantSaid("end:k")
	})
}

// A connection that hangs and the one that replaces it have the same pieces
// under way: whichever is first, they are taken once.
func TestEngineTwins(t *testing.T) {
	run(t, scripted, func(r *rig) {
		hung := r.engine("call=k")
		synctest.Wait() // it is the first
		live := r.engine("call=k")
		hung.send(one)
		synctest.Wait()
		live.send(one, two)
		time.Sleep(10 * time.Second)
		r.wantSaid("kEND_USER@script#2/1 one two")

		five, six := strings.ReplaceAll(one, "one", "five"), strings.ReplaceAll(two, "two", "six")
		hung.send(five)
		time.Sleep(time.Second)
		live.send(five)
		time.Sleep(2500 * time.Millisecond)
		live.send(six)
		r.wantSaid("kEND_USER@script/1 five", "kEND_USER@script#2/2 six")
	})
}

// A replay doubles nothing: from any frame on, over the same or another leg
// that the relay gives the same name.
func TestEngineReplay(t *testing.T) {
	frames := []string{`{"kind":"begin","session":"e1"}`, one, two, `{"kind":"final","text":"yes","id":"7"}`, `{"kind":"final","text":"yes","id":"8"}`, three}
	for from := range frames {
		run(t, scripted, func(r *rig) {
			c := r.engine("call=k&session=s")
			c.send(frames...)
			r.wantSaid("kEND_USER@script/s/1 one two", "kEND_USER@script/s/2 yes", "kEND_USER@script/s/3 yes", "kEND_USER@script/s/4 three")
			r.engine("call=k&session=s").send(frames[from:]...)
			r.wantSaid()
			c.expectClose(4409)
		})
	}
	// Without ids and times only the relay's word for it tells a replay.
	run(t, scripted, func(r *rig) {
		yes := `{"kind":"final","text":"yes"}`
		for range 2 {
			r.engine("call=k&session=s").send(yes, yes)
			synctest.Wait()
		}
		r.wantSaid("kEND_USER@script/s/1 yes", "kEND_USER@script/s/2 yes")
		for range 2 {
			r.engine("call=l").send(yes)
			synctest.Wait()
		}
		r.wantSaid("lEND_USER@script/1 yes", "lEND_USER@script#2/1 yes")
	})
}

// E5: an answer is sent when everything before it is safe, and leaves nothing
// under way.
func TestEngineReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateSpool()
		r := start(t, scripted, g)
		c := r.engine("call=k")
		c.send(one, `{"kind":"piece","text":"two","reply":"thanks"}`)
		group := <-g.asked
		c.quiet()
		g.allow <- nil
		if got := string(c.next()); got != "thanks" || len(group) != 1 {
			t.Errorf("got %q after %d records, want thanks after 1", got, len(group))
		}
	})
}

// What nobody understands is counted, and costs nobody anything.
func TestEngineOddFrames(t *testing.T) {
	cfg := scripted
	var partials []ingest.Partial
	cfg.OnPartial = func(p ingest.Partial) { partials = append(partials, p) }
	cfg.MaxContent = 12
	run(t, cfg, func(r *rig) {
		c := r.engine("call=k")
		c.send("", "nonsense", `{"kind":"news"}`, `{"kind":"failure","text":"quota"}`, `{"kind":"revision"}`, `{"kind":"partial","text":"Hel"}`)
		c.send(`{"kind":"final","text":"x","id":"1"}`, `{"kind":"final","text":"x","id":"1"}`, `{"kind":"final","text":"X.","id":"1"}`)
		c.ws.WriteMessage(websocket.BinaryMessage, []byte(`{"kind":"final","text":"binary \u00fc"}`))
		c.ws.WriteMessage(websocket.TextMessage, []byte("{\"kind\":\"final\",\"text\":\"bad \xff\"}"))
		c.send(`{"kind":"final","text":"one two three four five"}`, `{"kind":"final","text":"1234567890123456789ü"}`)
		ids := map[string]bool{}
		var said []string
		for _, rec := range r.stored() {
			ids[rec.MessageID] = true
			said = append(said, spoken(rec))
		}
		if want := []string{"kEND_USER@script/1 x", "kEND_USER@script/2 binary ü", "kEND_USER@script/3 bad \ufffd",
			"kEND_USER@script/4 one two", "kEND_USER@script/5 three four", "kEND_USER@script/6 five",
			"kEND_USER@script/7 123456789012", "kEND_USER@script/8 3456789ü"}; !slices.Equal(said, want) || len(ids) != len(want) {
			t.Errorf("stored %q under %d names, want %q", said, len(ids), want)
		}
		r.wantMetric(`steno_ingest_engine_ignored_total{dialect="script"}`, "2")
		r.wantMetric(`steno_ingest_engine_failures_total{dialect="script"}`, "1")
		r.wantMetric(`steno_ingest_engine_partials_total{dialect="script"}`, "1")
		r.wantMetric(`steno_ingest_revisions_total{dialect="script"}`, "2")
		r.wantMetric("steno_utterances_duplicate_total", "1")
		if want := (ingest.Partial{Stream: spool.StreamID{Call: "k", ID: "script"}, Call: "k", Speaker: "kEND_USER", SenderType: "END_USER", Content: "Hel"}); len(partials) != 1 || partials[0] != want {
			t.Errorf("partials are %+v, want %+v", partials, want)
		}
		c.send(`{"kind":"panic"}`)
		c.expectClose(1011)
		c = r.engine("call=k")
		c.send(`{"kind":"partial","text":"panic later"}`)
		c.bye(1000)
		c.expectClose(1011)
	})
}

// A spool that fails ends the connection; one that is slow stops the reading.
func TestEngineSpool(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateSpool()
		cfg := scripted
		cfg.Window = 2
		r := start(t, cfg, g)
		c := r.engine("call=k")
		say := func(c *client) {
			for i := range 8 {
				frame := fmt.Sprintf(`{"kind":"final","text":"x","id":"%d"}`, i)
				if c.ws.WriteMessage(websocket.TextMessage, []byte(frame)) != nil {
					return
				}
			}
		}
		go say(c)
		synctest.Wait()
		taken := g.pass()
		synctest.Wait()
		group := <-g.asked
		if taken += len(group); taken > 6 {
			t.Errorf("%d utterances were taken in with one answered, want at most twice the window and one each", taken)
		}
		g.allow <- errDisk
		c.expectClose(1013)
		again := r.engine("call=k")
		go say(again)
		g.collect()
		if got := r.said(); len(got) != 8 {
			t.Errorf("stored %q, want all 8 once", got)
		}
	})
}

// The leg's older connection may be storing what it said: the next one waits for
// that, but not for ever.
func TestEngineTakeover(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateSpool()
		r := start(t, scripted, g)
		older := r.engine("call=k&session=s")
		older.send(two)
		<-g.asked
		newer := r.engine("call=k&session=s")
		newer.send(two) // more could come after the goodbye
		newer.expectClose(1013)
		g.allow <- nil
		older.expectClose(4409)
		newer = r.engine("call=k&session=s")
		newer.send(two, three)
		g.collect()
		r.wantSaid("kEND_USER@script/s/1 two", "kEND_USER@script/s/2 three")
	})
}

func TestEngineTooManyStreams(t *testing.T) {
	cfg := scripted
	cfg.MaxStreamsTotal = 1
	run(t, cfg, func(r *rig) {
		r.engine("call=k").send(two)
		synctest.Wait()
		r.engine("call=l").expectClose(1013)
	})
}

// E6: an engine is not refused for being fast, and costs no more than others.
func TestEngineRate(t *testing.T) {
	cfg := scripted
	cfg.MaxRate = 10
	run(t, cfg, func(r *rig) {
		c, began := r.engine("call=k"), time.Now()
		c.send(slices.Repeat([]string{`{"kind":"partial","text":"x"}`}, 30)...)
		c.send(two)
		c.send(`{"kind":"final","text":"three","start":2000,"end":2400,"id":"` + strings.Repeat("x", 9<<10) + `"}`)
		c.send(four, over)
		for len(r.stored()) < 3 {
			time.Sleep(100 * time.Millisecond)
		}
		if took := time.Since(began); took < 3*time.Second || took > 4*time.Second {
			t.Errorf("42 messages at 10 a second, and a second's worth at once, took %v", took)
		}
		c = r.engine("call=l")
		c.send(slices.Repeat([]string{`{"kind":"partial","text":"x"}`}, 300)...)
		r.stop() // does not wait for a debt
		c.expectClose(1001)
	})
}

// Message ids survive a restart: each piece of an utterance is known again.
func TestEngineAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &markSpool{Memory: spool.NewMemory()}
		r := start(t, scripted, m)
		r.engine("call=k").send(one, two, three)
		for _, rec := range r.stored() {
			for _, id := range append(rec.Also, rec.MessageID) {
				m.recent = append(m.recent, spool.Sighting{Call: rec.Call, MessageID: id, At: rec.Received})
			}
			m.marks = []spool.StreamMark{{Stream: rec.Stream, Call: rec.Call, Epoch: rec.Epoch, Acked: rec.Seq, At: rec.Received}}
		}
		r.stop()
		r = start(t, scripted, m)
		r.engine("call=k").send(one, two, three, `{"kind":"final","text":"four","start":3000,"end":3400}`)
		r.wantSaid("kEND_USER@script/3 four")
	})
}
