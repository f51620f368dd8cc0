package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// org posts to Salesforce.
type org struct {
	base   string
	client *http.Client
}

func newOrg(base string, flight int) *org {
	return &org{base + "/services/apexrest/cnxscv/voice/v1/", &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{MaxIdleConnsPerHost: max(flight, 256), WriteBufferSize: 32 << 10, DisableCompression: true},
	}}
}

const names = `{"callCenterDevName":"LoadCenter","certDevName":"LoadCert"`

// single sends one message by itself.
func (o *org) single(ctx context.Context, m message) error {
	b := make([]byte, 0, len(names)+len(m.call)+len(m.body)+32)
	b = append(append(b, names...), `,"voiceCallId":"`...)
	b = append(append(b, m.call...), `",`...)
	return o.post(ctx, "createTranscriptMessage", append(b, m.body[1:]...))
}

// bulk sends messages in one request: an entry a call, in the order in which
// the calls first come.
func (o *org) bulk(ctx context.Context, ms []message) error {
	var size int
	var calls []string
	of := map[string][]message{}
	for _, m := range ms {
		if of[m.call] == nil {
			calls = append(calls, m.call)
		}
		of[m.call] = append(of[m.call], m)
		size += len(m.body) + 1
	}
	b := make([]byte, 0, len(names)+size+len(calls)*96)
	b = append(append(b, names...), `,"entries":[`...)
	for i, call := range calls {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"vendorCallKey":"`...), call...), `","messages":[`...)
		for j, m := range of[call] {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(b, m.body...)
		}
		b = append(b, "]}"...)
	}
	return o.post(ctx, "createBulkTranscriptMessages", append(b, "]}"...))
}

func (o *org) post(ctx context.Context, endpoint string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.base+endpoint, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer load")
	response, err := o.client.Do(req)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", endpoint, response.Status)
	}
	return nil
}
