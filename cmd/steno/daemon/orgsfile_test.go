package daemon_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/steno/cmd/steno/daemon"
)

// complete is an org that lacks nothing.
const complete = "login_url: https://a.my.salesforce.com, client_id: id, client_secret: hush, call_center: c, cert: k"

func orgsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orgs.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return "STENO_ORGS_FILE=" + path
}

// The example is what people begin with, and shows every field that there is.
func TestExampleOrgsFile(t *testing.T) {
	content, err := os.ReadFile("../../../deploy/orgs.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"emea-client-secret", "apac-client-secret", "emea-tokens", "apac-tokens"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name+"-1,"+name+"-2\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s, err := daemon.ParseSettings([]string{orgsFile(t, strings.ReplaceAll(string(content), "/run/secrets", dir)), "STENO_SPOOL_DIR=/var/lib/steno"})
	if err != nil {
		t.Fatal(err)
	}
	orgs := s.AllOrgs()
	if len(orgs) != 2 || !orgs[0].Default || orgs[1].Default || orgs[0].SFOrg != "emea" || orgs[1].SFOrg != "apac" {
		t.Fatalf("%d orgs, want emea, the default, and apac", len(orgs))
	}
	if e := orgs[0]; e.SFTimeout != 30*time.Second || e.SFClientSecret != "emea-client-secret-1,emea-client-secret-2" ||
		!slices.Equal(e.IngestTokens, []string{"emea-tokens-1", "emea-tokens-2"}) || e.SpoolDir != "/var/lib/steno/emea" {
		t.Errorf("emea: %v, %q, %q, %q", e.SFTimeout, e.SFClientSecret, e.IngestTokens, e.SpoolDir)
	}
	if a := orgs[1]; a.SFTimeout != 20*time.Second || a.SFMaxInFlight != 16 || a.APIReserve != .5 || a.APIDailyBudget != 100_000 ||
		a.BatchMaxWait != 300*time.Millisecond || a.BatchStretchWait != 10*time.Second || a.BatchSpeakers != "mixed" || a.BatchGrace != time.Minute ||
		a.BatchEndGrace != 10*time.Minute || a.SpoolMaxBytes != 1<<30 || a.SpoolMaxAge != time.Hour || a.DeadLettersMaxAge != 168*time.Hour ||
		a.DeadLettersMaxBytes != 100<<20 || a.ClusterPartitions != 2 || a.ProbeCall != "steno-probe" {
		t.Errorf("apac: %+v", a)
	}
	for _, setting := range daemon.AllSettings() {
		field := setting.OrgField[strings.LastIndex(setting.OrgField, ".")+1:]
		if field != "" && !strings.Contains(string(content), field+":") && !strings.Contains(string(content), field+"_file:") {
			t.Errorf("the example lacks %s", setting.OrgField)
		}
	}
}

func TestOrgsFileFaults(t *testing.T) {
	check := func(environ []string, content string, wants ...string) {
		t.Helper()
		_, err := daemon.ParseSettings(append(slices.Clone(environ), orgsFile(t, content)))
		if !errors.Is(err, daemon.ErrSettings) {
			t.Errorf("%s: error %v, want one that is ErrSettings", content, err)
			return
		}
		for _, want := range wants {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: error\n%v\nwant it to say\n%s", content, err, want)
			}
		}
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: error\n%v\ntells a secret", content, err)
		}
	}
	f := func(content string, wants ...string) { t.Helper(); check(nil, content, wants...) }
	f("", "the file is empty")
	f("orgs: [", "STENO_ORGS_FILE: yaml")
	f("[]", "must be fields with values, is a list")
	f("org: []", "org is no field: there is orgs", "orgs must be a list")
	f("orgs: []", "at least one org")
	f("orgs: [x]", "orgs[0]: ", "must be fields with values, is a value")
	f("orgs: []\n---\norgs: []", "more than one document")
	f("orgs: [{name: a, name: b, "+complete+"}]", "orgs[0]: name stands twice")
	f("orgs: [{"+complete+"}]", "orgs[0]: name is missing")
	f("orgs: [{name: ../up, "+complete+"}]", `org "../up": name must be 1 to 32 of`)
	f("orgs: [{name: "+strings.Repeat("n", 33)+", "+complete+"}]", "name must be 1 to 32 of")
	f("orgs: [{name: a}]", `org "a": login_url is missing, and so is STENO_SF_LOGIN_URL`, "client_id is missing", "client_secret is missing", "call_center is missing", "cert is missing")
	f("orgs: [{name: a, login_url: acme, client_id: '', client_secret: '', call_center: c, cert: k, tokens: []}]",
		`login_url is "acme": must be a URL`, "client_id is empty", "client_secret is empty", "tokens is empty")
	f("orgs: [{name: a, "+complete+", time_out: 3s, batch: {calls: 1}, spool: 3, deadletters: }]",
		"time_out is no field", "batch.calls is no field", "spool must be fields with values, is a value", "deadletters must be fields with values, is empty")
	f("orgs: [{name: a, "+complete+", timeout: soon, max_in_flight: 1.5, api_reserve: x, api_daily_budget: many, default: maybe, cert: [k], call_center: }]",
		`timeout is "soon": must be a duration such as 200ms`, `max_in_flight is "1.5": must be a whole number`, `api_reserve is "x": must be a number`,
		`api_daily_budget is "many": must be a whole number`, `default is "maybe": must be true or false`, "cert stands twice", "call_center stands twice")
	f("orgs: [{name: a, "+complete+", batch: {max_calls: 6, speakers: two}, partitions: 0, spool: {max_bytes: 1}}]",
		`org "a": batch.max_calls is 6: must be from 1 to 5`, `batch.speakers is "two"`, "partitions is 0", "spool.max_bytes is 1: must be at least")
	f("orgs: [{name: a, "+complete+", client_secret_file: /x, tokens: hush, tokens_file: /x}]",
		"client_secret and client_secret_file are both set", "tokens must be a list of texts", "tokens and tokens_file are both set")
	f("orgs: [{name: a, "+complete+", tokens: [hush, [hush]]}, {name: b, "+complete+", tokens_file: /nowhere/at/all}]",
		`org "a": tokens must be a list of texts`, `org "b": tokens_file: open /nowhere/at/all`, `org "b": tokens are missing`)
	f("orgs: [{name: a, "+complete+", tokens: [hush, t]}, {name: A, "+complete+", tokens: [u, hush]}]",
		`org "A": name is that of org "a"`, `org "A": tokens: the one in place 2 stands in org "a" too`)
	f("orgs: [{name: a, "+complete+", tokens: [hush, ' ']}]", "tokens is empty in place 2")
	f("orgs: [{name: a, default: true, "+complete+", tokens: [x]}, {name: b, default: true, "+complete+", tokens: [y]}]", `default is true in ["a" "b"]: there can be one`)
	f("orgs: [{name: a, "+complete+", tokens: [t]}, {name: b, "+complete+"}]", `org "b": tokens are missing`)
	// The environment's faults and the file's come together; what an org leaves
	// out is not its fault.
	check([]string{"STENO_BATCH_MAX_CALLS=9", "STENO_SF_ORG=a", "STENO_SPOOL_URL=nats://x"}, "orgs: [{name: a, "+complete+", timeout: 0s}]",
		"STENO_BATCH_MAX_CALLS is 9", "STENO_SF_ORG", "STENO_SPOOL_URL is set beside STENO_ORGS_FILE", `org "a": timeout is 0s: must be above 0`)
	check([]string{"STENO_BATCH_MAX_WAIT=200", "STENO_SF_CERT="}, "orgs: [{name: a, timeout: 0s}]", "BatchMaxWait", "timeout is 0s", "cert is missing")
	if _, err := daemon.ParseSettings([]string{"STENO_ORGS_FILE=/nowhere/at/all"}); err == nil || !strings.Contains(err.Error(), "STENO_ORGS_FILE: open /nowhere/at/all") {
		t.Errorf("a file that is not there: %v", err)
	}
}

// What an org leaves out is the environment's, and JSON is as good as YAML.
func TestOrgsTakeTheEnvironments(t *testing.T) {
	s, err := daemon.ParseSettings([]string{
		orgsFile(t, `{"orgs":[{"name":"a","tokens":["t"],"cert":"own"},{"name":"b","tokens":["u"],"default":true,"client_id":12,"max_in_flight":3}]}`),
		"STENO_SF_LOGIN_URL=https://acme.my.salesforce.com", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=secret",
		"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert", "STENO_SF_MAX_IN_FLIGHT=7", "STENO_SPOOL_DIR=memory",
	})
	if err != nil {
		t.Fatal(err)
	}
	a, b := s.AllOrgs()[0], s.AllOrgs()[1]
	if a.SFCert != "own" || b.SFCert != "cert" || a.SFMaxInFlight != 7 || b.SFMaxInFlight != 3 || b.SFClientID != "12" || a.SpoolDir != "memory" || a.Default || !b.Default {
		t.Errorf("a %+v\nb %+v", a, b)
	}
	if w := s.Warnings(); len(w) != 0 {
		t.Errorf("warnings %q, want none", w)
	}
	s, err = daemon.ParseSettings(append(with()[:5:5], orgsFile(t, "orgs: [{name: a, tokens: [t]}, {name: b, tokens: [u]}]")))
	if err != nil || len(s.Warnings()) != 1 || !strings.Contains(s.Warnings()[0], `org "a" and org "b" have the same login_url and client_id`) {
		t.Errorf("one org under two names: %v, warnings %q", err, s.Warnings())
	}
}
