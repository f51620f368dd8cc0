package relay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"time"

	"example.com/steno/ingest/dialect"
)

// servePost is the door for native utterances over HTTP.
func (d *Door) servePost(w http.ResponseWriter, r *http.Request, org string) {
	d.post(w, r, org, r.PathValue("vendorCallKey"))
}

// servePush is the door of a dialect's engines that push over HTTP. Where the
// URL does not name the call, the body does.
func (d *Door) servePush(w http.ResponseWriter, r *http.Request, org string) {
	call := callOf(r.URL.Query())
	spoken, known := d.dialects[r.PathValue("dialect")]
	if call != "" || !known {
		d.post(w, r, org, call)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(d.cfg.MaxFrame)+1)) // one more, for the owner to say that it is too much
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); err != nil && !tooBig {
		refuse(w, http.StatusBadRequest, "invalid", "the body could not be read to its end")
		return
	}
	if decoder, err := spoken.New(dialect.Options{Values: r.URL.Query()}); err == nil {
		// What is wrong with the body is the owner's to say.
		_ = decoder.Decode(body, func(e dialect.Event) {
			if call == "" {
				call = e.Call.Key
			}
		})
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	d.post(w, r, org, call)
}

// post hands a request to the owner of a call, and waits for one for a while.
func (d *Door) post(w http.ResponseWriter, r *http.Request, org, call string) {
	if !d.enter(w) {
		return
	}
	defer d.leave()
	target, ok := d.await(r.Context(), org, call)
	if !ok {
		refuse(w, http.StatusServiceUnavailable, "overloaded", errNoOwner.Error())
		return
	}
	d.posts.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), targetKey{}, target)))
}

type targetKey struct{}

// await waits until somebody works on the call.
func (d *Door) await(ctx context.Context, org, call string) (Target, bool) {
	patience := time.NewTimer(d.cfg.Patience)
	defer patience.Stop()
	for {
		changed := d.cfg.Routes.Changed()
		if target, ok := d.cfg.Routes.Route(org, call); ok {
			return target, true
		}
		select {
		case <-changed:
		case <-patience.C:
			return Target{}, false
		case <-ctx.Done():
			return Target{}, false
		}
	}
}

// proxy sends requests to the target in their context.
func (d *Door) proxy() http.Handler {
	return &httputil.ReverseProxy{
		Transport: &http.Transport{DialContext: d.cfg.Dial, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute},
		Rewrite: func(p *httputil.ProxyRequest) {
			t, _ := p.In.Context().Value(targetKey{}).(Target)
			query := p.In.URL.Query()
			query.Del("token")
			p.Out.URL.Scheme, p.Out.URL.Host, p.Out.URL.RawQuery = "http", t.Address, query.Encode()
			p.Out.Host = t.Address
			p.Out.Header = d.header(t, p.In)
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			d.cfg.Log.Warn("an owner cannot be reached", "cause", err)
			refuse(w, http.StatusServiceUnavailable, "overloaded", errNoOwner.Error())
		},
		ModifyResponse: func(r *http.Response) error {
			if r.StatusCode == http.StatusMisdirectedRequest {
				return errNoOwner
			}
			return nil
		},
	}
}
