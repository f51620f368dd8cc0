package orgsim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/steno/sfclient/orgsim"
)

const wrapperPath = "/services/apexrest/cnxscv/voice/v1/"

// answered is what came back for one request; cut: nothing did.
type answered struct {
	status int
	header http.Header
	body   string
	cut    bool
}

func (a answered) String() string {
	if a.cut {
		return "connection cut"
	}
	return fmt.Sprintf("%d %s", a.status, a.body)
}

// serve hands one request to the org, as net/http would.
func serve(org http.Handler, r *http.Request) (got answered) {
	defer func() {
		if p := recover(); p != nil {
			if p != http.ErrAbortHandler {
				panic(p)
			}
			got = answered{cut: true}
		}
	}()
	r.RemoteAddr = "127.0.0.1:4321"
	rec := httptest.NewRecorder()
	org.ServeHTTP(rec, r)
	return answered{status: rec.Code, header: rec.Header(), body: rec.Body.String()}
}

// login gets a token.
func login(t testing.TB, org http.Handler) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {"key"}, "client_secret": {"secret"}}
	r := httptest.NewRequest(http.MethodPost, "/services/oauth2/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	got := serve(org, r)
	var token struct {
		Value string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(got.body), &token); got.status != 200 || err != nil || token.Value == "" {
		t.Fatalf("login: got %v", got)
	}
	return token.Value
}

// client talks to an org with a token of its own.
type client struct {
	t     testing.TB
	org   *orgsim.Org
	token string
}

func newClient(t testing.TB, cfg orgsim.Config) *client {
	t.Helper()
	org := orgsim.New(cfg)
	return &client{t: t, org: org, token: login(t, org)}
}

func (c *client) request(endpoint, body string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, wrapperPath+endpoint, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.token)
	return r
}

func (c *client) post(endpoint, body string) answered {
	return serve(c.org, c.request(endpoint, body))
}

// bulk sends entries; each is "key id id…", its messages of one END_USER.
func (c *client) bulk(entries ...string) answered {
	return c.post("createBulkTranscriptMessages", bulkBody(entries...))
}

func (c *client) bulkUntil(ctx context.Context, entries ...string) answered {
	return serve(c.org, c.request("createBulkTranscriptMessages", bulkBody(entries...)).WithContext(ctx))
}

const names = `"callCenterDevName":"center","certDevName":"cert"`

func bulkBody(entries ...string) string {
	rendered := make([]string, len(entries))
	for i, e := range entries {
		words := strings.Fields(e)
		messages := make([]string, len(words)-1)
		for j, id := range words[1:] {
			messages[j] = message(id)
		}
		rendered[i] = entry(words[0], messages...)
	}
	return `{` + names + `,"entries":[` + strings.Join(rendered, ",") + `]}`
}

func entry(key string, messages ...string) string {
	return fmt.Sprintf(`{"vendorCallKey":%q,"messages":[%s]}`, key, strings.Join(messages, ","))
}

// message is one message object; changes are "field=raw JSON", or "field=" to
// leave the field out.
func message(id string, changes ...string) string {
	fields := map[string]json.RawMessage{
		"messageId": json.RawMessage(fmt.Sprintf("%q", id)), "participantId": json.RawMessage(`"somebody"`),
		"senderType": json.RawMessage(`"END_USER"`), "content": json.RawMessage(`"hello"`),
		"startTime": json.RawMessage(fmt.Sprint(time.Now().UnixMilli())), "endTime": json.RawMessage(fmt.Sprint(time.Now().UnixMilli())),
	}
	for _, change := range changes {
		name, raw, _ := strings.Cut(change, "=")
		if fields[name] = json.RawMessage(raw); raw == "" {
			delete(fields, name)
		}
	}
	out, err := json.Marshal(fields)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// want fails unless the answer has the status and its body holds all words.
func (c *client) want(got answered, status int, words ...string) {
	c.t.Helper()
	if got.cut || got.status != status {
		c.t.Errorf("got %v, want status %d", got, status)
	}
	for _, w := range words {
		if !strings.Contains(got.body, w) {
			c.t.Errorf("got %v, want %q in it", got, w)
		}
	}
}

// stored is a call's message ids, in order, with a blank between.
func (c *client) stored(key string) string {
	return strings.Join(c.org.Ledger().Calls[key].MessageIDs, " ")
}

func (c *client) wantStored(key, ids string) {
	c.t.Helper()
	if got := c.stored(key); got != ids {
		c.t.Errorf("call %s: stored %q, want %q", key, got, ids)
	}
}

func (c *client) view(method, target, body string) answered {
	return serve(c.org, httptest.NewRequest(method, target, io.NopCloser(strings.NewReader(body))))
}
