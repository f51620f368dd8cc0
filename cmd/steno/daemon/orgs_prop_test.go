package daemon

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"pgregory.net/rapid"

	"example.com/steno/ingest/client"
	"example.com/steno/sfclient/orgsim"
)

// days is what happens in a town with some orgs.
type days struct {
	Orgs    []day
	Strange []stranger
	Reload  int // which org's settings change in the middle
}

// day is what happens in an org. Its calls have the keys that other orgs' have.
type day struct {
	Calls, Each int // calls, and utterances in each
	Pause       time.Duration
	Faults      orgsim.Rates
	Down        time.Duration // how long its Salesforce is away in the middle
	Mixed       bool
}

// stranger is a request that says things which are not so.
type stranger struct {
	Token int // of which org; beyond them: nobody's
	Org   int // as whose it comes; beyond them: says nothing
	Post  bool
}

var faults = []orgsim.Kind{
	orgsim.Expired, orgsim.Forbidden, orgsim.TooMany, orgsim.ApexError, orgsim.Overloaded, orgsim.Refused,
	orgsim.Exhausted, orgsim.PausedEntry, orgsim.CutBefore, orgsim.CutAfter, orgsim.HTML,
}

func drawDays(t *rapid.T) (d days) {
	for range rapid.IntRange(2, 4).Draw(t, "orgs") {
		one := day{
			Calls: rapid.IntRange(1, 5).Draw(t, "calls"), Each: rapid.IntRange(1, 12).Draw(t, "each"),
			Pause: time.Duration(rapid.IntRange(0, 900).Draw(t, "pause")) * time.Millisecond,
			Down:  time.Duration(rapid.SampledFrom([]int{0, 0, 5, 40}).Draw(t, "down")) * time.Second,
			Mixed: rapid.Bool().Draw(t, "mixed"),
		}
		for _, kind := range rapid.SliceOfNDistinct(rapid.SampledFrom(faults), 0, 3, rapid.ID).Draw(t, "faults") {
			one.Faults = append(one.Faults, orgsim.Rate{Fault: orgsim.Fault{Kind: kind}, Share: .07})
		}
		d.Orgs = append(d.Orgs, one)
	}
	for range rapid.IntRange(0, 12).Draw(t, "strangers") {
		d.Strange = append(d.Strange, stranger{
			Token: rapid.IntRange(0, len(d.Orgs)).Draw(t, "token"), Org: rapid.IntRange(0, len(d.Orgs)).Draw(t, "org"), Post: rapid.Bool().Draw(t, "post"),
		})
	}
	d.Reload = rapid.IntRange(0, len(d.Orgs)).Draw(t, "reload")
	return d
}

// Whatever happens in the orgs: no request to an org carries what was said for
// another, no token opens a foreign org, each org's account holds, and each
// call's words are in order.
func TestOrgsNeverMix(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := drawDays(rt)
		if told := d.play(t); told != "" {
			rt.Fatal(told)
		}
	})
}

func (d *days) name(i int) string { return fmt.Sprint("org", i) }

// play plays the days in a bubble and says what is wrong.
func (d *days) play(t *testing.T) (told string) {
	var plans []plan
	for i, one := range d.Orgs {
		plans = append(plans, plan{name: d.name(i), cfg: one.salesforce(uint64(i)), more: one.batch("24h")})
	}
	inTown(t, plans, func(v *town) {
		time.Sleep(15 * time.Second)
		var speaking sync.WaitGroup
		for i := range d.Orgs {
			speaking.Go(func() { d.speak(v, i) })
		}
		for n, s := range d.Strange {
			told += d.strange(v, n, s)
		}
		var before *pipeline
		if d.Reload < len(d.Orgs) {
			before = v.daemon.pipelineOf(d.name(d.Reload)).pipeline
			var lines []string
			for i, one := range d.Orgs {
				grace := map[bool]string{true: "23h", false: "24h"}[i == d.Reload]
				lines = append(lines, v.line(d.name(i), one.batch(grace)))
			}
			v.write(lines...)
			v.daemon.Reload()
		}
		speaking.Wait()
		time.Sleep(15 * time.Second)
		for i := range d.Orgs {
			h := v.homes[d.name(i)]
			v.settle(h)
			if i == d.Reload {
				told += balance(v, h, before)
			} else {
				told += balance(v, h, nil)
			}
		}
		told += strings.Join(v.stray, "\n")
	})
	return told
}

func (one *day) salesforce(seed uint64) orgsim.Config {
	return orgsim.Config{MakeCalls: true, Duplicates: orgsim.StoreTwice, Seed: seed, AnswerTime: usual.AnswerTime, Faults: one.Faults}
}

// batch are fields of the org in the orgs file.
func (one *day) batch(grace string) string {
	return fmt.Sprintf("batch: {speakers: %s, end_grace: %s}", map[bool]string{true: "mixed", false: "one"}[one.Mixed], grace)
}

// speak says all that is said in an org, its calls in turn.
func (d *days) speak(v *town, i int) {
	one, h := d.Orgs[i], v.homes[d.name(i)]
	c, hangUp := v.engine(h.name + "-2")
	defer hangUp()
	var streams []*client.Stream
	for call := range one.Calls {
		streams = append(streams, v.speak(c, fmt.Sprint("call-", call)))
	}
	for n := range one.Each {
		if n == one.Each/2 && one.Down > 0 {
			h.org.Down(orgsim.Unavailable)
			time.AfterFunc(one.Down, h.org.Up)
		}
		for call, s := range streams {
			v.say(h, s, fmt.Sprint("call-", call))
		}
		time.Sleep(one.Pause)
	}
	for _, s := range streams {
		if err := s.Close(v.t.Context(), "end"); err != nil {
			v.t.Errorf("close: %v", err)
		}
	}
	time.Sleep(one.Down)
}

// strange does what the stranger does, and says where the answer is not what it
// should be.
func (d *days) strange(v *town, n int, s stranger) string {
	owner, token, claim := "nobody", "nobodys", ""
	if s.Token < len(d.Orgs) {
		owner, token = d.name(s.Token), d.name(s.Token)+"-1"
	}
	if s.Org < len(d.Orgs) {
		claim = d.name(s.Org)
	}
	want := "accepted"
	switch {
	case owner == "nobody":
		want = "unauthorized"
	case claim != "" && claim != owner:
		want = "unknown_org"
	}
	call := fmt.Sprint("strange-", n)
	got := v.try(token, claim, map[string]any{
		"messageId": owner + "/" + call + "/1", "senderType": "END_USER", "startTime": 1795599000000, "endTime": 1795599001000, "content": "x",
	}, s.Post, call)
	if want == "accepted" && got == want && s.Post {
		v.mu.Lock()
		v.homes[owner].want[call] = []string{owner + "/" + call + "/1"}
		v.mu.Unlock()
	}
	if got != want {
		return fmt.Sprintf("%+v: %s, want %s\n", s, got, want)
	}
	return ""
}

// try posts an utterance, or opens a stream of its call, and says what came of
// it in a word.
func (v *town) try(token, claim string, utterance map[string]any, post bool, call string) string {
	header := http.Header{"Authorization": {"Bearer " + token}}
	if claim != "" {
		utterance["org"] = claim
	}
	if post {
		body, err := json.Marshal(utterance)
		if err != nil {
			v.t.Fatal(err)
		}
		req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, "http://127.0.0.1/v1/calls/"+call+"/utterances", strings.NewReader(string(body)))
		if err != nil {
			v.t.Fatal(err)
		}
		req.Header = header
		c := v.doors.Client()
		defer c.CloseIdleConnections()
		resp, err := c.Do(req)
		if err != nil {
			return err.Error()
		}
		defer resp.Body.Close()
		var told struct{ Error struct{ Code string } }
		if err := json.NewDecoder(resp.Body).Decode(&told); err != nil {
			return err.Error()
		}
		return cmp.Or(told.Error.Code, "accepted")
	}
	ws, resp, err := (&websocket.Dialer{NetDialContext: v.doors.Dial}).Dial("ws://127.0.0.1/v1/ingest", header)
	if err != nil {
		if resp != nil && resp.StatusCode == http.StatusUnauthorized {
			return "unauthorized"
		}
		return err.Error()
	}
	defer ws.Close()
	open := map[string]any{"type": "open", "stream": call, "vendorCallKey": call}
	if claim != "" {
		open["org"] = claim
	}
	var m struct{ Type, Code string }
	if err := errors.Join(ws.WriteJSON(open), ws.ReadJSON(&m)); err != nil {
		return err.Error()
	}
	if m.Type == "opened" {
		return "accepted"
	}
	return m.Code
}

// balance says where an org's account and its Salesforce do not have what was
// said for it. before is the org's pipeline before a reload: what waited when it
// ended was accepted by the next one again.
func balance(v *town, h *home, before *pipeline) (told string) {
	a := v.daemon.pipelineOf(h.name).spool.Account()
	accepted, rejected := a.Accepted, sum(a.Rejected)
	if a.Accepted != a.Delivered+sum(a.Rejected)+a.Pending {
		told += fmt.Sprintf("org %s: the account %+v does not balance\n", h.name, a)
	}
	if before != nil {
		b := before.spool.Account()
		accepted, rejected = accepted+b.Accepted-b.Pending, rejected+sum(b.Rejected)
	}
	said := 0
	for _, ids := range h.want {
		said += len(ids)
	}
	if accepted != uint64(said) {
		told += fmt.Sprintf("org %s: %d accepted, %d said\n", h.name, accepted, said)
	}
	if c := h.org.Ledger().Compare(h.want); c.Unexpected != 0 || c.OutOfOrder != 0 || uint64(c.Lost) > rejected { // what was rejected may have been stored all the same
		told += fmt.Sprintf("org %s: %+v, %d rejected\n", h.name, c, rejected)
	}
	return told
}

func sum(counts map[string]uint64) (n uint64) {
	for _, c := range counts {
		n += c
	}
	return n
}
