package sfclient_test

import (
	"errors"
	"net/http"
	"testing"

	"example.com/steno/sfclient"
)

func TestFetchLimit(t *testing.T) {
	f := func(status int, body string, used, most int64, want sfclient.Verdict) {
		t.Helper()
		o := &org{answer: say(status, body)}
		client := direct(t, o)
		got, err := client.FetchLimit(t.Context())
		e, _ := errors.AsType[*sfclient.Error](err)
		if got.Used != used || got.Max != most || e.Verdict() != want || e != nil && e.Endpoint != sfclient.EndpointLimits {
			t.Errorf("FetchLimit answered with %d %s = %+v, %v (%v); want %d of %d, %v", status, body, got, err, e.Verdict(), used, most, want)
		}
		if kept, known := client.Limit(); known != (err == nil) || kept != got {
			t.Errorf("Limit = %+v, %t after %+v, %v", kept, known, got, err)
		}
		if asked := o.posts[0]; asked.method != http.MethodGet || asked.path != "/services/data/v60.0/limits" || asked.authorization != "Bearer token-1" {
			t.Errorf("asked %s %s with %q", asked.method, asked.path, asked.authorization)
		}
	}
	f(200, `{"ConcurrentAsyncGetReportInstances":{"Max":200,"Remaining":200},"DailyApiRequests":{"Max":100000,"Remaining":89982}}`, 10018, 100000, sfclient.Accepted)
	f(200, `{"DailyApiRequests":{"Max":100000,"Remaining":-5}}`, 100005, 100000, sfclient.Accepted) // a paid org may overrun a little
	f(200, `{}`, 0, 0, sfclient.Retry)
	f(200, `<html>`, 0, 0, sfclient.Retry)
	f(403, `[{"errorCode":"INSUFFICIENT_ACCESS","message":"no"}]`, 0, 0, sfclient.Hold)
	f(404, `[{"errorCode":"NOT_FOUND","message":"no"}]`, 0, 0, sfclient.Hold)
	f(503, `<html>`, 0, 0, sfclient.Retry)
}
