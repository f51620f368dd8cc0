package sfclient

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// LimitInfo is the org's API usage over the last 24 hours, all its clients
// together.
type LimitInfo struct {
	Used, Max int64     // requests; Used may exceed Max, which a paid org may overrun a little
	At        time.Time // when it was heard; zero: never
}

// limitsPath is the REST API's resource of the org's limits. Any version from
// 29.0 on has it.
const limitsPath = "/services/data/v60.0/limits"

// FetchLimit asks the org for its API usage, and keeps it for Limit. It is for
// orgs whose answers to the wrapper's endpoints do not tell; the question is
// itself one of the day's requests, and needs a permission of its own ("View
// Setup and Configuration").
func (c *Client) FetchLimit(ctx context.Context) (LimitInfo, error) {
	token, e := c.tokens.get(ctx)
	if e != nil {
		return LimitInfo{}, e
	}
	rep, e := c.get(ctx, token, EndpointLimits, limitsPath)
	if e != nil {
		return LimitInfo{}, e
	}
	var limits struct {
		DailyAPIRequests struct{ Max, Remaining int64 } `json:"DailyApiRequests"`
	}
	err := json.Unmarshal(rep.body, &limits)
	day := limits.DailyAPIRequests
	if rep.status != http.StatusOK || rep.cut != nil || err != nil || day.Max <= 0 {
		return LimitInfo{}, refusal(request{endpoint: EndpointLimits}, rep, read(rep.body))
	}
	info := LimitInfo{Used: day.Max - day.Remaining, Max: day.Max, At: rep.answered}
	c.limit.put(info)
	return info, nil
}

// parseLimitInfo reads the header Sforce-Limit-Info as in
//
//	api-usage=10018/100000; api-bursts=1/750
//	api-usage=25/5000; per-app-api-usage=17/250(appName=sample)
//
// of which only the org's own usage matters here.
func parseLimitInfo(header string, at time.Time) (LimitInfo, bool) {
	for part := range strings.FieldsFuncSeq(header, func(r rune) bool { return r == ';' || r == ',' }) {
		name, value, _ := strings.Cut(part, "=")
		if !strings.EqualFold(strings.TrimSpace(name), "api-usage") {
			continue
		}
		used, most, _ := strings.Cut(value, "/")
		u, err1 := strconv.ParseInt(strings.TrimSpace(used), 10, 64)
		m, err2 := strconv.ParseInt(strings.TrimSpace(most), 10, 64)
		if err1 != nil || err2 != nil || u < 0 || m <= 0 {
			return LimitInfo{}, false
		}
		return LimitInfo{Used: u, Max: m, At: at}, true
	}
	return LimitInfo{}, false
}

// limitBox keeps the newest LimitInfo.
type limitBox struct {
	mu   sync.Mutex
	info LimitInfo // guarded by mu
}

// put keeps l unless a newer one is known: answers overtake each other. The
// zero LimitInfo of an answer without the header is older than all.
func (b *limitBox) put(l LimitInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !l.At.Before(b.info.At) {
		b.info = l
	}
}

// newest returns what put has kept; false: nothing yet.
func (b *limitBox) newest() (LimitInfo, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.info, !b.info.At.IsZero()
}
