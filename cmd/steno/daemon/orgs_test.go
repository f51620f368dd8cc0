package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// A token opens its org's doors and no other's, whatever the client says of orgs.
func TestTokenOpensItsOrgOnly(t *testing.T) {
	inTown(t, alike(usual, "emea", "apac"), func(v *town) {
		time.Sleep(time.Second)
		post := func(token, query, body string) (int, string) {
			c := v.doors.Client()
			defer c.CloseIdleConnections()
			req, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, "http://127.0.0.1/v1/calls/c/utterances"+query, strings.NewReader(body))
			if err != nil {
				v.t.Fatal(err)
			}
			if token != "" {
				req.Header.Set("Authorization", "Bearer "+token)
			}
			resp, err := c.Do(req)
			if err != nil {
				v.t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			return resp.StatusCode, string(b)
		}
		said := func(org string) string {
			return fmt.Sprintf(`{"messageId":"%s/c/1","senderType":"END_USER","startTime":1795599000000,"endTime":1795599001000,"content":"x"}`, org)
		}
		f := func(token, query, body string, want int, wantBody string) {
			v.t.Helper()
			if got, answer := post(token, query, body); got != want || !strings.Contains(answer, wantBody) {
				v.t.Errorf("POST %s with token %q: %d %s, want %d %s", query, token, got, answer, want, wantBody)
			}
		}
		f("emea-1", "", said("emea"), 202, "")
		f("apac-2", "?org=apac", said("apac"), 202, "")
		f("emea-1", "?org=apac", said("emea"), 400, "unknown_org")
		f("apac-1", "", strings.Replace(said("apac"), "{", `{"org":"emea",`, 1), 400, "unknown_org")
		f("nobodys", "", said("emea"), 401, "unauthorized")
		f("", "", said("emea"), 401, "unauthorized")
		f("nobodys", "?org=apac", said("apac"), 401, "unauthorized")

		open := func(path, token string, first map[string]any) string {
			header := http.Header{"Authorization": {"Bearer " + token}}
			ws, resp, err := (&websocket.Dialer{NetDialContext: v.doors.Dial}).Dial("ws://127.0.0.1"+path, header)
			if err != nil {
				if resp != nil {
					return resp.Status
				}
				return err.Error()
			}
			defer ws.Close()
			if first != nil {
				ws.WriteJSON(first)
			}
			var m map[string]any
			if err := ws.ReadJSON(&m); err != nil {
				return err.Error()
			}
			return fmt.Sprint(m["type"], m["code"])
		}
		if got := open("/v1/ingest", "apac-1", map[string]any{"type": "open", "stream": "s", "vendorCallKey": "c", "org": "emea"}); !strings.Contains(got, "unknown_org") {
			v.t.Errorf("apac's token opens a stream of emea: %s", got)
		}
		if got := open("/v1/ingest/vosk?call=c&org=emea&channel=END_USER", "apac-1", nil); !strings.Contains(got, "400") {
			v.t.Errorf("apac's token opens an engine's door of emea: %s", got)
		}
		time.Sleep(5 * time.Second)
		for _, h := range v.homes {
			h.want["c"] = []string{h.name + "/c/1"}
			if cmp := h.org.Ledger().Compare(h.want); !cmp.Clean() {
				v.t.Errorf("%s has %+v", h.name, cmp)
			}
		}
	})
}

// The default org may be without tokens: then it is open to this machine, but
// not to those who show a token that nobody knows.
func TestDefaultOrgWithoutTokens(t *testing.T) {
	inTown(t, alike(usual, "emea", "apac"), func(v *town) {
		v.write(v.line("emea"), strings.Replace(v.line("apac", "default: true"), ", tokens: [apac-1, apac-2]", "", 1))
		v.reload(5 * time.Second)
		f := func(token, wants string) {
			v.t.Helper()
			ws, resp, err := (&websocket.Dialer{NetDialContext: v.doors.Dial}).Dial("ws://127.0.0.1/v1/ingest", http.Header{"X-API-Key": {token}})
			got := ""
			if err == nil {
				ws.WriteJSON(map[string]any{"type": "open", "stream": "s", "vendorCallKey": "c", "org": wants})
				var m map[string]any
				ws.ReadJSON(&m)
				got = fmt.Sprint(m["type"])
				ws.Close()
			} else if resp != nil {
				got = resp.Status
			}
			if wants != "" && got != "opened" || wants == "" && got != "401 Unauthorized" {
				v.t.Errorf("token %q gets %q, want org %q", token, got, wants)
			}
		}
		f("", "apac")
		f("emea-1", "emea")
		f("emea-3", "")
	})
}

// What the admin listener shows is told apart by org.
func TestAdminTellsOrgsApart(t *testing.T) {
	plans := alike(usual, "emea", "apac")
	plans[1].down = true
	inTown(t, plans, func(v *town) {
		for _, h := range v.homes {
			c, stop := v.engine(h.name + "-1")
			defer stop()
			s := v.speak(c, "call")
			v.say(h, s, "call")
			if h.name == "emea" {
				v.say(h, s, "call")
			}
		}
		time.Sleep(20 * time.Second)
		status, body := v.get("/readyz")
		if status != 200 || !strings.Contains(body, `"org":"apac","code":"salesforce_token"`) || strings.Contains(body, `"org":"emea"`) {
			v.t.Errorf("/readyz = %d %s, want 200 as emea is ready, and apac's reason", status, body)
		}
		_, body = v.get("/status.json")
		var o Overview
		if err := json.Unmarshal([]byte(body), &o); err != nil || len(o.Orgs) != 2 || o.Orgs[0].Org != "emea" || o.Orgs[1].Org != "apac" || !o.Ready {
			v.t.Errorf("/status.json = %v %.300s, want both orgs in the file's order", err, body)
		}
		if s := v.status("apac"); s.Org != "apac" || s.Account.Accepted != 1 || s.Account.Pending != 1 || s.Ready {
			v.t.Errorf("apac: %+v", s)
		}
		if s := v.status(""); len(s.Reasons) == 0 { // the overview's
			v.t.Errorf("the overview tells no reasons")
		}
		if status, body := v.get("/status.json?org=nobody"); status != 404 {
			v.t.Errorf("an unknown org's status: %d %s", status, body)
		}
		_, scrape := v.get("/metrics")
		f := func(series, want string) {
			v.t.Helper()
			if got := metric(scrape, series); got != want {
				v.t.Errorf("%s is %q, want %q", series, got, want)
			}
		}
		f(`steno_utterances_accepted_total{org="emea"}`, "2")
		f(`steno_utterances_accepted_total{org="apac"}`, "1")
		f(`steno_utterances_delivered_total{org="emea"}`, "2")
		f(`steno_unready{org="apac",why="salesforce_token"}`, "1")
		f(`steno_unready{org="emea",why="salesforce_token"}`, "0")
		f(`steno_console_latency_seconds_count{org="emea",dialect="steno.v1"}`, "2")
		f(`steno_orgs_failed`, "0")
		f(`steno_orgs_reloads_total{outcome="faulty"}`, "0")
		grouped(v.t, scrape)
		for _, m := range AllMetrics() {
			name, _, _ := strings.Cut(m.Name, "{")
			if strings.HasPrefix(name, "steno_orgs_") && !strings.Contains(scrape, "\n"+name) {
				v.t.Errorf("no %s", name)
			}
		}
		if _, body := v.get("/monitor/calls?org=apac&q=call"); !strings.Contains(body, `"found":1`) || !strings.Contains(body, `"org":"apac"`) {
			v.t.Errorf("apac's calls: %s", body)
		}
		if status, _ := v.get("/monitor/call?org=emea&key=call"); status != 200 {
			v.t.Errorf("emea's call: %d", status)
		}
		if status, _ := v.get("/monitor/calls?org=nobody&q="); status != 404 {
			v.t.Errorf("nobody's calls: %d", status)
		}
		if event := string(v.daemon.nowEvent(context.Background(), "emea")); !strings.Contains(event, `"orgNames":["emea","apac"]`) || !strings.Contains(event, `"org":"emea"`) {
			v.t.Errorf("the page's event: %.300s", event)
		}
		if event := string(v.daemon.nowEvent(context.Background(), "nobody")); !strings.Contains(event, `"failed"`) {
			v.t.Errorf("the page's event of nobody: %.300s", event)
		}
		v.homes["apac"].org.Up()
		time.Sleep(30 * time.Second)
	})
}

// An org with a test call is probed, by its own token; one without is not.
func TestProbesOfOrgs(t *testing.T) {
	plans := alike(exact, "probed", "other")
	plans[0].more = "probe_call: night"
	inTown(t, plans, func(v *town) {
		time.Sleep(3*time.Minute + time.Second)
		_, scrape := v.get("/metrics")
		for name, want := range map[string]string{"probed": "3", "other": "0"} {
			if got := metric(scrape, fmt.Sprintf(`steno_probes_total{org=%q,outcome="delivered"}`, name)); got != want {
				v.t.Errorf("org %s: %s probes delivered, want %s", name, got, want)
			}
			if lost := metric(scrape, fmt.Sprintf(`steno_probes_total{org=%q,outcome="lost"}`, name)); lost != "0" {
				v.t.Errorf("org %s: %s probes lost", name, lost)
			}
		}
	}, "STENO_PROBE=1m")
}

// grouped checks that the lines of one metric are in a row, each with an org.
func grouped(t *testing.T, scrape string) {
	t.Helper()
	seen, last := map[string]bool{}, ""
	for line := range strings.Lines(scrape) {
		name := line[:strings.IndexAny(line, "{ ")]
		if name != last && seen[name] {
			t.Errorf("%s stands in two places", name)
		}
		seen[name], last = true, name
		if strings.HasPrefix(name, "steno_") && !strings.HasPrefix(name, "steno_orgs_") && !strings.Contains(line, `org="`) {
			t.Errorf("no org in %s", line)
		}
	}
}

func TestLabelled(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		var x exposition
		x.add(`org="o"`, in)
		var b strings.Builder
		x.write(&b)
		if b.String() != want {
			t.Errorf("%q becomes %q, want %q", in, b.String(), want)
		}
	}
	f("a 1\n", `a{org="o"} 1`+"\n")
	f("a{} 1\n", `a{org="o"} 1`+"\n")
	f("a{b=\"}{ ,\"} 1\n", "a{org=\"o\",b=\"}{ ,\"} 1\n")
	f("a{org=\"p\"} 1\n", "a{org=\"p\"} 1\n")
	f("a{b=\"x\",org=\"p\"} 1\n", "a{b=\"x\",org=\"p\"} 1\n")
	f("a{b=\"x,org=\\\"p\"} 1\n", "a{org=\"o\",b=\"x,org=\\\"p\"} 1\n")
	f("# HELP a\na 1\nb 2\na{c=\"d\"} 3\n\n", "a{org=\"o\"} 1\na{org=\"o\",c=\"d\"} 3\nb{org=\"o\"} 2\n")
}
