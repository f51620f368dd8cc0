package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"example.com/steno/batcher/spool/spooltest"
	"example.com/steno/sfclient/orgsim"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"steno": main, "carry": carry})
}

// TestScripts plays what people type: testdata/script, each against two simulated
// orgs of its own, whose addresses are $ORG and $ORG2. A daemon that a script starts has its
// doors at $STENO_LISTEN and its admin listener at $STENO_ADMIN_LISTEN.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			org := httptest.NewServer(orgsim.New(orgsim.Config{ClientID: "id", ClientSecret: "hush", CallCenter: "center", Cert: "cert"}))
			env.Defer(org.Close)
			second := httptest.NewServer(orgsim.New(orgsim.Config{ClientID: "id2", ClientSecret: "hush2", CallCenter: "center", Cert: "cert"}))
			env.Defer(second.Close)
			doors, err := unused()
			if err != nil {
				return err
			}
			admin, err := unused()
			if err != nil {
				return err
			}
			env.Vars = append(env.Vars, "ORG="+org.URL, "ORG2="+second.URL, "STENO_SF_LOGIN_URL="+org.URL, "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush",
				"STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert", "STENO_LISTEN="+doors, "STENO_ADMIN_LISTEN="+admin)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"post": post, "await": await, "jetstream": func(ts *testscript.TestScript, neg bool, args []string) { jetstream(t, ts, neg, args) }},
	})
}

// unused is an address of this machine that nobody listens on at the moment.
func unused() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// post is the script command "post URL [FILE [TOKEN]]": the answer must be a 2xx,
// or with ! none.
func post(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 3 {
		ts.Fatalf("usage: post URL [FILE [TOKEN]]")
	}
	body := ""
	if len(args) > 1 {
		body = ts.ReadFile(args[1])
	}
	req, err := http.NewRequest(http.MethodPost, args[0], strings.NewReader(body))
	ts.Check(err)
	req.Header.Set("Content-Type", "application/json")
	if len(args) > 2 {
		req.Header.Set("Authorization", "Bearer "+args[2])
	}
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); (resp.StatusCode/100 == 2) == neg {
		ts.Fatalf("%s answers %s: %s", args[0], resp.Status, answer)
	}
}

// await is the script command "await URL WORDS": until a GET tells of them.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: await URL WORDS")
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	patience := time.NewTimer(30 * time.Second)
	defer patience.Stop()
	last := ""
	for {
		if resp, err := http.Get(args[0]); err != nil {
			last = err.Error()
		} else {
			body, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			if last = string(body); strings.Contains(last, args[1]) {
				return
			}
		}
		select {
		case <-tick.C:
		case <-patience.C:
			ts.Fatalf("after 30 s %s does not say %q: %s", args[0], args[1], last)
		}
	}
}

// jetstream is the script command "jetstream": it starts a server for the
// cluster of STENO_SPOOL_URL, and finds an address for STENO_CLUSTER_LISTEN.
func jetstream(t *testing.T, ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 0 {
		ts.Fatalf("usage: jetstream")
	}
	inner, err := unused()
	ts.Check(err)
	ts.Setenv("STENO_SPOOL_URL", spooltest.URLs(spooltest.Servers(t, 1)))
	ts.Setenv("STENO_CLUSTER_LISTEN", inner)
}
