package sfclient

import (
	"context"
	"io"
	"net/http"
	"slices"
	"time"
)

// Endpoints are the wrapper's six, in the order of a call's life.
func Endpoints() []string {
	return []string{
		EndpointCreateVoiceCall, EndpointExecuteOmniFlow, EndpointClearRouting,
		EndpointCreateTranscriptMessage, EndpointCreateBulkTranscriptMessages, EndpointUpdateVoiceCall,
	}
}

// Probe asks whether one of the Endpoints is installed and lets us in, and
// does nothing there: it asks by GET, which Apex REST answers with 405 where
// the class is there, with 404 where it is not, and with 403 where our user may
// not use it. It costs one API request.
func (c *Client) Probe(ctx context.Context, endpoint string) error {
	token, e := c.tokens.get(ctx)
	if e != nil {
		return e
	}
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodGet, token.base+basePath+endpoint, nil)
	if err != nil {
		return &Error{Endpoint: endpoint, cause: err}
	}
	req.Header.Set("Authorization", "Bearer "+token.value)
	resp, err := c.http.Do(req)
	if err != nil {
		return &Error{Endpoint: endpoint, cause: c.explain(ctx, attempt, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if there := []int{http.StatusOK, http.StatusMethodNotAllowed}; err == nil && slices.Contains(there, resp.StatusCode) {
		return nil
	}
	rep := reply{status: resp.StatusCode, header: resp.Header, body: body, answered: time.Now(), cut: err}
	e = refusal(request{endpoint: endpoint}, rep, read(body))
	e.Ambiguous = false // Nothing was asked that could have been done.
	return e
}
