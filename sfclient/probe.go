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
	rep, e := c.get(ctx, token, endpoint, basePath+endpoint)
	if e != nil {
		return e
	}
	if there := []int{http.StatusOK, http.StatusMethodNotAllowed}; rep.cut == nil && slices.Contains(there, rep.status) {
		return nil
	}
	e = refusal(request{endpoint: endpoint}, rep, read(rep.body))
	e.Ambiguous = false // Nothing was asked that could have been done.
	return e
}

// get makes one attempt at a GET, which changes nothing. An error means that no
// answer came.
func (c *Client) get(ctx context.Context, t token, endpoint, path string) (reply, *Error) {
	attempt, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(attempt, http.MethodGet, t.base+path, nil)
	if err != nil {
		return reply{}, &Error{Endpoint: endpoint, cause: err}
	}
	req.Header.Set("Authorization", "Bearer "+t.value)
	resp, err := c.transport.RoundTrip(req)
	if err != nil {
		return reply{}, &Error{Endpoint: endpoint, cause: c.explain(ctx, attempt, err)}
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return reply{status: resp.StatusCode, header: resp.Header, body: body, answered: time.Now(), cut: err}, nil
}
