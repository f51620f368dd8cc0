package sfclient_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/steno/sfclient"
)

func TestProbe(t *testing.T) {
	f := func(status int, body string, want sfclient.Verdict) {
		t.Helper()
		var method, path string
		mux := http.NewServeMux()
		org := httptest.NewServer(mux)
		defer org.Close()
		mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, _ *http.Request) {
			w.Write([]byte(`{"access_token":"t","instance_url":"` + org.URL + `"}`))
		})
		mux.HandleFunc("/services/apexrest/", func(w http.ResponseWriter, r *http.Request) {
			method, path = r.Method, r.URL.Path
			w.WriteHeader(status)
			w.Write([]byte(body))
		})
		client, err := sfclient.New(sfclient.Config{LoginURL: org.URL, ClientID: "i", ClientSecret: "s", CallCenter: "c", Cert: "c"})
		if err != nil {
			t.Fatal(err)
		}
		defer client.CloseIdleConnections()
		err = client.Probe(t.Context(), sfclient.EndpointClearRouting)
		e, _ := errors.AsType[*sfclient.Error](err)
		if got := e.Verdict(); got != want || e != nil && (e.Ambiguous || e.Endpoint != sfclient.EndpointClearRouting) {
			t.Errorf("Probe answered with %d %s = %v (%v), want %v", status, body, got, err, want)
		}
		if method != http.MethodGet || !strings.HasSuffix(path, "/voice/v1/clearRouting") {
			t.Errorf("Probe asked %s %s, want a GET, which does nothing", method, path)
		}
	}
	f(405, `[{"errorCode":"METHOD_NOT_ALLOWED","message":"HTTP Method 'GET' not allowed. Allowed are POST"}]`, sfclient.Accepted)
	f(200, `{}`, sfclient.Accepted)
	f(404, `[{"errorCode":"NOT_FOUND","message":"Could not find a match for URL"}]`, sfclient.Hold)
	f(403, `[{"errorCode":"FORBIDDEN","message":"You do not have access to the Apex class named: X"}]`, sfclient.Hold)
	f(401, `[{"errorCode":"INVALID_SESSION_ID","message":"Session expired or invalid"}]`, sfclient.Renew)
	f(503, `<html>`, sfclient.Retry)
}
