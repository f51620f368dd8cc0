package deadletters_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/steno/cmd/steno/deadletters"
)

// Programs on this machine come in, pages in a browser and other machines do
// not; what is mistyped widens nothing.
func TestHostileRequests(t *testing.T) {
	s := five(t)
	handler := deadletters.Handler(&deadletters.Local{Spool: s}, "steno.internal")
	f := func(request string, header string, body string, want int) {
		t.Helper()
		method, target, _ := strings.Cut(request, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
		r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1:8081"
		for pair := range strings.SplitSeq(header, "; ") {
			switch name, value, _ := strings.Cut(pair, ": "); name {
			case "":
			case "Host":
				r.Host = value
			case "From":
				r.RemoteAddr = value
			case "To":
				local, err := net.ResolveTCPAddr("tcp", value)
				if err != nil {
					t.Fatal(err)
				}
				r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, net.Addr(local)))
			default:
				r.Header.Set(name, value)
			}
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		answer, _ := io.ReadAll(w.Result().Body)
		if w.Code != want {
			t.Errorf("%s, %s %s = %d %s, want %d", request, header, body, w.Code, answer, want)
		}
		if w.Code != http.StatusOK && (strings.Contains(string(answer), "secret") || w.Header().Get("Access-Control-Allow-Origin") != "") {
			t.Errorf("%s, %s: a refusal says %s", request, header, answer)
		}
		if w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", request)
		}
	}
	const json = "Content-Type: application/json"
	f("GET /deadletters", "", "", 200)
	f("GET /deadletters/1", "", "", 200)
	f("GET /deadletters", "Host: localhost:8081", "", 200)
	f("GET /deadletters", "Host: [::1]:8081; From: [::1]:1", "", 200)
	f("GET /deadletters", "Host: steno.internal:8081", "", 200)
	f("GET /deadletters", "Sec-Fetch-Site: none", "", 200)
	f("GET /deadletters", "From: 10.0.0.5:9; To: 10.0.0.5:8081; Host: 10.0.0.5:8081", "", 200)

	// Other machines.
	f("GET /deadletters", "From: 10.0.0.7:9", "", 403)
	f("GET /deadletters", "From: 10.0.0.7:9; To: 10.0.0.5:8081", "", 403)
	f("GET /deadletters", "From: nonsense", "", 403)
	f("POST /deadletters/drop", "From: 10.0.0.7:9; "+json, `{"all":true}`, 403)

	// Pages: of another site, and of one whose name leads here.
	f("GET /deadletters/1", "Origin: https://evil.example", "", 403)
	f("GET /deadletters/1", "Origin: null", "", 403)
	f("GET /deadletters/1", "Sec-Fetch-Site: cross-site", "", 403)
	f("GET /deadletters/export", "Host: evil.example:8081", "", 403)
	f("GET /deadletters/export", "Host: 127.0.0.1.evil.example", "", 403)
	f("POST /deadletters/drop", "Origin: https://evil.example; "+json, `{"all":true}`, 403)
	f("POST /deadletters/drop", "Content-Type: text/plain", `{"all":true}`, 415)
	f("POST /deadletters/drop", "Content-Type: application/x-www-form-urlencoded", `{"all":true}`, 415)
	f("POST /deadletters/drop", "", `{"all":true}`, 415)

	// What makes no sense.
	f("POST /deadletters/drop", json, ``, 400)
	f("POST /deadletters/drop", json, `{}`, 400)
	f("POST /deadletters/drop", json, `[1,2]`, 400)
	f("POST /deadletters/drop", json, `{"ids":["1"]}`, 400)
	f("POST /deadletters/drop", json, `{"ids":[-1]}`, 400)
	f("POST /deadletters/drop", json, `{"call":"a"}`, 400) // it is called vendorCallKey
	f("POST /deadletters/drop", json, `{"vendorCallKey":"a","resaon":"x"}`, 400)
	f("POST /deadletters/drop", json, `{"all":true}{"all":true}`, 400)
	f("POST /deadletters/drop", json, `{"ids":[`+strings.Repeat("1,", 1<<20)+`1]}`, 400)
	f("POST /deadletters/bury", json, `{"all":true}`, 404)
	f("POST /deadletters", json, `{"all":true}`, 405)
	f("DELETE /deadletters/1", "", "", 405)
	f("GET /deadletters/drop", "", "", 400)
	f("GET /deadletters/one", "", "", 400)
	f("GET /deadletters/99", "", "", 404)
	f("GET /deadletters/18446744073709551616", "", "", 400)
	f("GET /deadletters?cal=a", "", "", 400)
	f("GET /deadletters?since=yesterday", "", "", 400)
	f("GET /deadletters/export?call=%zz", "", "", 400)

	if got := fmt.Sprint(ids(t, &deadletters.Local{Spool: s}, deadletters.Filter{})); got != "[1 2 3 4 5]" {
		t.Errorf("after all that there are %s, want all five", got)
	}
	f("POST /deadletters/drop", json+"; charset=utf-8", `{"ids":[1]}`, 200)
}

// A daemon that is gone, or is none, is an error and not an empty list.
func TestNoDaemon(t *testing.T) {
	other := httptest.NewServer(http.NotFoundHandler())
	l := &deadletters.Remote{URL: other.URL, Client: other.Client()}
	f := func() {
		t.Helper()
		if err := l.List(t.Context(), deadletters.Filter{}, func(deadletters.Shown) error { return nil }); err == nil {
			t.Error("List returned no error")
		}
		if _, err := l.Show(t.Context(), "", 1); err == nil {
			t.Error("Show returned no error")
		}
		if _, err := l.Change(t.Context(), deadletters.Drop, deadletters.Selection{All: true}); err == nil {
			t.Error("Change returned no error")
		}
		if err := l.Export(t.Context(), deadletters.Filter{}, io.Discard); err == nil {
			t.Error("Export returned no error")
		}
	}
	f()
	other.Close()
	f()
}
