package daemon

import (
	"bytes"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/gorilla/websocket"

	"example.com/steno/ingest/dialect"
)

// eachEngine runs test with the frames of each dialect's recorded session, in a
// bubble with the daemon and an org.
func eachEngine(t *testing.T, test func(*testing.T, *rig, recording)) {
	played := 0
	for _, d := range dialect.All() {
		t.Run(d.Name, func(t *testing.T) {
			rec := recorded(t, d)
			if !rec.speaks {
				t.Skip("there is no session in which something is said")
			}
			played++
			cfg := usual
			cfg.DailyLimit = 0
			bubble(t, cfg, func(t *testing.T, r *rig) { test(t, r, rec) })
		})
	}
	if played == 0 {
		t.Error("no session was played")
	}
}

// recording is what an engine said in one session.
type recording struct {
	dialect dialect.Dialect
	frames  [][]byte
	speaks  bool
	// nameless engines give their words neither ids nor times: a replay is only
	// known when it starts at the beginning.
	nameless bool
}

// recorded reads a dialect's session: one of ours, else the decoder's samples
// in their order.
func recorded(t *testing.T, d dialect.Dialect) recording {
	rec := recording{dialect: d}
	const ingest = "../../../ingest"
	if b, err := os.ReadFile(filepath.Join(ingest, "testdata/sessions", d.Name+".jsonl")); err == nil {
		rec.frames = bytes.Split(bytes.TrimSpace(b), []byte("\n"))
	} else {
		files, err := filepath.Glob(filepath.Join(ingest, "dialect/testdata", d.Name, "[0-9]*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			rec.frames = append(rec.frames, b)
		}
	}
	decoder, err := d.New(dialect.Options{})
	if err != nil {
		return rec // it needs options, which its own tests give it
	}
	var frames [][]byte
	for _, frame := range rec.frames {
		err := decoder.Decode(frame, func(e dialect.Event) {
			if (e.Kind == dialect.Piece || e.Kind == dialect.Final) && e.Text != "" {
				rec.speaks = true
				rec.nameless = rec.nameless || e.ID == "" && !e.Start.Known() && !e.End.Known()
			}
		})
		if err == nil { // else audio, or a sample of what is no frame
			frames = append(frames, frame)
		}
	}
	rec.frames = frames
	return rec
}

// play gives frames to the dialect's door as a relay would, and loses the
// connection or says goodbye.
func (r *rig) play(rec recording, call string, frames [][]byte, goodbye bool) {
	r.t.Helper()
	query := "/v1/ingest/" + rec.dialect.Name + "?session=s1&start=1787303700000&call=" + call
	if !rec.dialect.Socket {
		c := r.doors.Client()
		defer c.CloseIdleConnections()
		for _, frame := range frames {
			resp, err := c.Post("http://127.0.0.1"+query, "application/x-www-form-urlencoded", bytes.NewReader(frame))
			if err != nil {
				r.t.Fatal(err)
			}
			resp.Body.Close()
			if resp.StatusCode != http.StatusAccepted {
				r.t.Errorf("POST %s: %s", frame, resp.Status)
			}
		}
		time.Sleep(time.Second)
		return
	}
	dialer := websocket.Dialer{NetDialContext: r.doors.Dial}
	ws, _, err := dialer.Dial("ws://127.0.0.1"+query, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	gone := make(chan error)
	go func() {
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				gone <- err
				return
			}
		}
	}()
	for _, frame := range frames {
		if err := ws.WriteMessage(websocket.TextMessage, frame); err != nil {
			r.t.Errorf("%s hangs up at %s: %v", rec.dialect.Name, frame, err)
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	if goodbye {
		ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""))
	} else {
		ws.NetConn().Close()
	}
	<-gone
	time.Sleep(time.Second)
}

// console is what an agent sees of a call: who said it, and the words.
func (r *rig) console(call string) []string {
	synctest.Wait()
	var lines []string
	for _, m := range r.org.Ledger().Calls[call].Messages {
		lines = append(lines, m.ParticipantID+": "+m.Content)
		if m.EndTime < m.StartTime {
			r.t.Errorf("%q ends %d ms before it starts", m.Content, m.StartTime-m.EndTime)
		}
	}
	return lines
}

// words are what each participant said, letters and digits only: how it is
// cut into messages depends on when a connection was lost, and a version that
// is better punctuated may have come too late.
func words(console []string, call string) map[string]string {
	said := map[string]string{}
	for _, line := range console {
		who, what, _ := strings.Cut(line, ": ")
		said[strings.TrimPrefix(who, call)] += spelled(what)
	}
	return said
}

// spelled are the letters and digits of a text.
func spelled(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

// stripped is the words of a console without who said them.
func stripped(console []string) (said []string) {
	for _, line := range console {
		_, what, _ := strings.Cut(line, ": ")
		said = append(said, what)
	}
	return said
}

// stood counts the letters of all that an engine had made final by the first
// frames, each version of the same words once.
func (rec recording) stood(frames int) (n int) {
	decoder, err := rec.dialect.New(dialect.Options{})
	if err != nil {
		panic(err)
	}
	latest := map[string]string{}
	for i, frame := range rec.frames[:frames] {
		// An error concerns the frame only; eachEngine has left out what is none.
		_ = decoder.Decode(frame, func(e dialect.Event) {
			if e.Kind != dialect.Piece && e.Kind != dialect.Final || e.Text == "" {
				return
			}
			key := fmt.Sprint(e.Channel, "/", e.ID)
			if e.ID == "" {
				key = fmt.Sprint(e.Channel, e.Start, e.End, e.Text)
				if !e.Start.Known() && !e.End.Known() {
					key = fmt.Sprint(i, e.Text)
				}
			}
			latest[key] = e.Text
		})
	}
	for _, text := range latest {
		n += len(spelled(text))
	}
	return n
}

// However often and from whichever frame on a relay sends an engine's session
// again, the agent sees it once.
func TestEngineReplays(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig, rec recording) {
		r.play(rec, "call", rec.frames, false)
		once := r.console("call")
		if len(once) == 0 {
			t.Error("nothing arrived")
			return
		}
		for from := range rec.frames {
			if rec.nameless && from > 0 {
				break
			}
			r.play(rec, "call", rec.frames[from:], false)
			if again := r.console("call"); !slices.Equal(again, once) {
				t.Errorf("after a replay from frame %d on the console shows\n%q, want\n%q", from, again, once)
				return
			}
		}
	})
}

// A daemon that was killed knows what it has: a relay that sends the session
// again doubles nothing.
func TestEngineRestarts(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig, rec recording) {
		r.play(rec, "call", rec.frames, false)
		once := r.console("call")
		r.kill()
		r.start()
		r.play(rec, "call", rec.frames, false)
		if again := r.console("call"); !slices.Equal(again, once) {
			t.Errorf("after a restart and a replay the console shows\n%q, want\n%q", again, once)
		}
	})
}

// Whatever the frame after which a relay says goodbye: all that stood arrives,
// what the engine had under way at most is added, and the call is over.
func TestEngineGoodbyes(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig, rec recording) {
		for cut := range rec.frames {
			call := fmt.Sprint("call-", cut)
			r.play(rec, call, rec.frames[:cut], true)
			console := r.console(call)
			if got, want := spelled(strings.Join(stripped(console), "")), rec.stood(cut); len(got) < want {
				t.Errorf("goodbye after %d frames: the agent sees %q, want the %d letters that stood", cut, console, want)
			}
		}
		if _, scrape := r.get("/metrics"); metric(scrape, "steno_calls_active") != "0" {
			t.Errorf("%s calls are active after all goodbyes", metric(scrape, "steno_calls_active"))
		}
	})
}

// Whatever the frame after which the connection is lost: nothing that stood is
// lost with it, and a replay adds what is missing and no more.
func TestEngineCuts(t *testing.T) {
	eachEngine(t, func(t *testing.T, r *rig, rec recording) {
		r.play(rec, "whole", rec.frames, false)
		whole := words(r.console("whole"), "whole")
		for cut := range rec.frames {
			call := fmt.Sprint("cut-", cut)
			r.play(rec, call, rec.frames[:cut], false)
			console := r.console(call)
			if got, want := spelled(strings.Join(stripped(console), "")), rec.stood(cut); len(got) != want {
				t.Errorf("cut after %d frames the agent sees %q, want the %d letters that stood", cut, console, want)
			}
			for who, said := range words(console, call) {
				if !strings.HasPrefix(whole[who], said) {
					t.Errorf("cut after %d frames %s said %q, want the beginning of %q", cut, who, said, whole[who])
				}
			}
			r.play(rec, call, rec.frames, false)
			if got := words(r.console(call), call); !maps.Equal(got, whole) {
				t.Errorf("cut after %d frames and replayed: %q, want %q", cut, got, whole)
			}
		}
	})
}
