package sfclient_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"example.com/steno/sfclient"
)

// Every fault at once, each by its field's name, and no secret among them.
func TestConfigFaults(t *testing.T) {
	f := func(spoil func(*sfclient.Config), want ...string) {
		t.Helper()
		cfg := config(nil)
		cfg.ClientSecret = "top-secret"
		spoil(&cfg)
		_, err := sfclient.New(cfg)
		if err == nil {
			t.Fatalf("New took a config with the faults %q", want)
		}
		for _, fault := range want {
			if !strings.Contains(err.Error(), fault) {
				t.Errorf("New = %v, want %q", err, fault)
			}
		}
		if strings.Contains(err.Error(), "top-secret") {
			t.Errorf("New = %v, which quotes a secret", err)
		}
	}
	f(func(c *sfclient.Config) { *c = sfclient.Config{Timeout: -1, MaxInFlight: -1} },
		"LoginURL is empty", "ClientID is empty", "ClientSecret is empty", "CallCenter is empty", "Cert is empty",
		"Timeout is -1ns", "MaxInFlight is -1")
	f(func(c *sfclient.Config) { c.LoginURL = "http://acme.my.salesforce.com" }, "LoginURL: must be https")
	f(func(c *sfclient.Config) { c.LoginURL = "acme.my.salesforce.com" }, "LoginURL: must begin with https://")
	f(func(c *sfclient.Config) { c.LoginURL = "https://acme.example.com" }, "LoginURL: host", "does not end in .my.salesforce.com")
	f(func(c *sfclient.Config) { c.LoginURL = "https://acme.my.salesforce.com/services/oauth2/token" }, "LoginURL: must not have a path")
	f(func(c *sfclient.Config) { c.LoginURL = "https://acme.my.salesforce.com?x=1" }, "LoginURL: must not have a query")
	f(func(c *sfclient.Config) { c.LoginURL = "https://u:top-secret@acme.my.salesforce.com" }, "LoginURL: must not hold a user")
	f(func(c *sfclient.Config) { c.LoginURL = "https://u:top-secret@acme\x7f" }, "LoginURL: is not a URL")
}

// The client learns the org's usage from every answer that tells it, also from
// one that refuses.
func TestLimit(t *testing.T) {
	o := &org{answer: inOrder(
		say(200, accepted),
		say(200, accepted, "Sforce-Limit-Info", "api-usage=10018/100000"),
		say(503, "", "Sforce-Limit-Info", "api-usage=10020/100000"))}
	client := direct(t, o)
	send := func() *sfclient.Answer {
		answer, _ := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
		return answer
	}
	if a := send(); a.Limit != (sfclient.LimitInfo{}) {
		t.Errorf("Limit of an answer without the header = %+v", a.Limit)
	}
	if l, ok := client.Limit(); ok {
		t.Errorf("Limit = %+v before any was heard", l)
	}
	if a := send(); a.Limit.Used != 10018 || a.Limit.Max != 100000 || !a.Limit.At.Equal(a.Answered) {
		t.Errorf("Limit of the answer = %+v, want 10018 of 100000, when it was answered", a.Limit)
	}
	send()
	if l, ok := client.Limit(); !ok || l.Used != 10020 {
		t.Errorf("Limit = %+v, %t; want 10020", l, ok)
	}
}

// The log tells of the token's changes, and neither of secrets nor of text.
func TestLogHasNoSecret(t *testing.T) {
	var log bytes.Buffer
	quote := say(400, `{"data":null,"errors":["bad word: Hello All"],"success":false}`)
	o := &org{answer: inOrder(expired, expired, quote)}
	cfg := config(handed{o})
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	cfg.Logger = logger
	client := newClient(t, cfg)
	for range 2 {
		_, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2)})
		logger.Info("send", "err", err)
	}
	o = &org{answer: quote}
	_, err := direct(t, o).SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 2)})
	logger.Info("send", "err", err)
	for _, want := range []string{"token fetched", "token expired", "new token refused too", `"verdict":"split"`, `"verdict":"hold"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("log has no %q:\n%s", want, log.String())
		}
	}
	for _, never := range []string{"secret", "token-1", "token-2", "Hello"} {
		if strings.Contains(log.String(), never) {
			t.Errorf("log has %q:\n%s", never, log.String())
		}
	}
}
