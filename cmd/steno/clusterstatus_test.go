package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/steno/cmd/internal/cli"
)

// A daemon that is cut off is shown with what it last knew, and fails the
// command; its neighbour's partitions and nobody's are told apart.
func TestClusterStatusOfAFencedDaemon(t *testing.T) {
	admin := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"ready":false,"orgs":[{"org":"acme/0","calls":3,"account":{"pending":4,"oldestPendingSeconds":1.5}}],"cluster":{"member":"a","fenced":true,
			"members":[{"id":"a","address":"a:1","version":"v","state":"fenced","silent":2.5,"owns":1,"load":{"calls":3,"pending":4,"oldest":1.5,"delivered":20,"p95":0.75}},
				{"id":"b\u001b[2J","address":"b:1","version":"v","state":"well","silent":0.25,"owns":1,"load":{}}],
			"partitions":[{"org":"acme","number":0,"owner":"a","since":"2026-11-25T09:30:02Z","moves":2},{"org":"acme","number":1,"owner":"b\u001b[2J","since":"2026-11-25T09:30:02Z"},{"org":"acme","number":2,"owner":""}]}}`)
	}))
	defer admin.Close()
	var out, errs bytes.Buffer
	code := program().Run(t.Context(), cli.Process{Args: []string{"cluster", "status"}, Stdout: &out, Stderr: &errs, Environ: []string{
		"STENO_SF_LOGIN_URL=https://acme.my.salesforce.com", "STENO_SF_CLIENT_ID=id", "STENO_SF_CLIENT_SECRET=hush", "STENO_SF_CALL_CENTER=center", "STENO_SF_CERT=cert",
		"STENO_ADMIN_LISTEN=" + strings.TrimPrefix(admin.URL, "http://"),
	}})
	if code != cli.Failed || !strings.Contains(errs.String(), "this daemon is cut off from its cluster") {
		t.Errorf("exit %d, %s", code, errs.String())
	}
	const want = `DAEMON      ADDRESS  OWNS  CALLS  SENT/S  P95    WAITING  OLDEST  HEARD      STATE   VERSION
a           a:1      1     3      20.0    750ms  4        1.5s    2.5s ago   fenced  v
"b\x1b[2J"  b:1      1     0      0.0     –      0        –       250ms ago  well    v

PARTITION  DAEMON      SINCE                 MOVES  CALLS  WAITING  OLDEST
acme/0     a           2026-11-25T09:30:02Z  2      3      4        1.5s
acme/1     "b\x1b[2J"  2026-11-25T09:30:02Z  0      –      –        –
acme/2     NOBODY      –                     0      –      –        –
`
	if out.String() != want {
		t.Errorf("it prints\n%s\nwant\n%s", out.String(), want)
	}
}
