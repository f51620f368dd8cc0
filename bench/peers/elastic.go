package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/elastic/go-elasticsearch/v9/esutil"
)

// elastic is esutil.BulkIndexer with a transport that posts to Salesforce. It
// counts bytes, neither messages nor calls, so it cannot keep to 5 × 5 by
// itself: FlushBytes holds some five messages, and the transport cuts what is
// above five. Any worker takes any message: a call's order is lost.
type elastic struct {
	indexer esutil.BulkIndexer
	errs    errorCount
}

// flushBytes is what five messages and their action lines take on average.
const flushBytes = 5 * 340

func newElastic(o *org, k knobs) (*elastic, error) {
	e := &elastic{}
	indexer, err := esutil.NewBulkIndexer(esutil.BulkIndexerConfig{
		NumWorkers: k.flight, FlushBytes: flushBytes, FlushInterval: k.wait,
		Client:  transport{o},
		OnError: func(_ context.Context, err error) { e.errs.note(err) },
	})
	e.indexer = indexer
	return e, err
}

func (e *elastic) add(ctx context.Context, m message) error {
	return e.indexer.Add(ctx, esutil.BulkIndexerItem{Action: "index", Index: m.call, Body: bytes.NewReader(m.body)})
}

func (e *elastic) close(ctx context.Context) error {
	return joinFirst(e.indexer.Close(ctx), e.errs.err())
}

// transport makes requests to Salesforce of bulk requests to Elasticsearch.
type transport struct{ org *org }

func (t transport) Perform(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var ms []message
	lines := bytes.Split(bytes.TrimRight(body, "\n"), []byte("\n"))
	for i := 0; i+1 < len(lines); i += 2 {
		var action struct {
			Index struct {
				Index string `json:"_index"`
			} `json:"index"`
		}
		if err := json.Unmarshal(lines[i], &action); err != nil {
			return nil, fmt.Errorf("read an action line: %w", err)
		}
		ms = append(ms, message{action.Index.Index, lines[i+1]})
	}
	said := make([]string, len(ms))
	for i := range said {
		said[i] = `{"index":{"status":201}}`
	}
	for len(ms) > 0 {
		n := min(5, len(ms))
		if err := t.org.bulk(req.Context(), ms[:n]); err != nil {
			return nil, err
		}
		ms = ms[n:]
	}
	answer := `{"errors":false,"items":[` + strings.Join(said, ",") + `]}`
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer))}, nil
}

func joinFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
