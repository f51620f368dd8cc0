package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"example.com/steno/sfclient/orgsim"
)

// TestProbes: probes go the whole way and are measured, also when nobody speaks;
// while Salesforce is silent they are lost, which is logged once.
func TestProbes(t *testing.T) {
	bubble(t, exact, func(t *testing.T, r *rig) {
		time.Sleep(3*time.Minute + time.Second)
		r.want["night"] = nil
		_, scrape := r.get("/metrics")
		if got := metric(scrape, `steno_probes_total{outcome="delivered"}`); got != "3" {
			t.Errorf("%s probes delivered in three minutes, want 3", got)
		}
		if got := metric(scrape, "steno_probe_seconds"); got != "0.3" {
			t.Errorf("the last probe took %s s, want 0.3: the wait for company and Salesforce", got)
		}
		if stored := r.org.Ledger().Calls["night"]; len(stored.Messages) != 3 || stored.Messages[0].Content != "[Steno probe]" {
			t.Errorf("the test call has %+v, want three marked utterances", stored.Messages)
		}
		if silent := r.status().Monitor.Calls.OneSided; silent != 0 {
			t.Error("the test call is called one-sided")
		}
		r.org.Down(orgsim.Silent)
		time.Sleep(3 * time.Minute)
		_, scrape = r.get("/metrics")
		if lost, took := metric(scrape, `steno_probes_total{outcome="lost"}`), metric(scrape, "steno_probe_seconds"); lost == "0" || took != "NaN" {
			t.Errorf("%s probes lost and the last took %s s, while Salesforce was silent", lost, took)
		}
		r.org.Up()
		time.Sleep(5 * time.Minute)
		r.stop() // then nobody writes to the log
		if n := strings.Count(r.log.String(), "a probe was lost"); n != 1 {
			t.Errorf("the loss was logged %d times, want once", n)
		}
		if !strings.Contains(r.log.String(), "probes arrive again") {
			t.Error("nobody says that probes arrive again")
		}
	}, "STENO_PROBE=1m", "STENO_PROBE_CALL=night")
}

func TestProbeSettings(t *testing.T) {
	f := func(doors, token, want string) {
		t.Helper()
		s := Settings{ProbeCall: "c"}
		if token != "" {
			s.IngestTokens = []string{token, "other"}
		}
		p, err := s.NewProbe(doors)
		if err != nil || p.URL != want || p.Token != token {
			t.Errorf("NewProbe(%q) = %+v, %v, want %s", doors, p, err, want)
		}
	}
	f(":8080", "", "ws://127.0.0.1:8080/v1/ingest")
	f("[::]:8080", "", "ws://127.0.0.1:8080/v1/ingest")
	f("10.0.0.1:80", "secret", "ws://10.0.0.1:80/v1/ingest")
}

// dialer is the probe's way to the rig's daemon.
func (r *rig) dialer() *websocket.Dialer { return &websocket.Dialer{NetDialContext: r.doors.Dial} }
