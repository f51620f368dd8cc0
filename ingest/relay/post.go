package relay

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"example.com/steno/ingest/dialect"
)

// servePost is the door for native utterances over HTTP.
func (d *Door) servePost(w http.ResponseWriter, r *http.Request, org string) {
	if !d.enter(w) {
		return
	}
	defer d.leave()
	if body, ok := d.body(w, r); ok {
		d.post(w, r, body, org, r.PathValue("vendorCallKey"))
	}
}

// servePush is the door of a dialect's engines that push over HTTP. Where the
// URL does not name the call, the body does.
func (d *Door) servePush(w http.ResponseWriter, r *http.Request, org string) {
	if !d.enter(w) {
		return
	}
	defer d.leave()
	body, ok := d.body(w, r)
	if !ok {
		return
	}
	call := callOf(r.URL.Query())
	if spoken, known := d.dialects[r.PathValue("dialect")]; known && call == "" {
		if decoder, err := spoken.New(dialect.Options{Values: r.URL.Query()}); err == nil {
			// What is wrong with the body is the owner's to say.
			_ = decoder.Decode(body, func(e dialect.Event) {
				if call == "" {
					call = e.Call.Key
				}
			})
		}
	}
	d.post(w, r, body, org, call)
}

// body reads a request's body, so that it can be sent to more than one owner.
// Of one that is too long it reads as much as the owner needs to say so.
func (d *Door) body(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(d.cfg.MaxFrame)+1))
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); err != nil && !tooLong {
		refuse(w, http.StatusBadRequest, "invalid", "the body could not be read to its end")
		return nil, false
	}
	return body, true
}

// post hands a request to the owner of a call and passes the answer on. While
// the call's partition moves it tries for a while: what an owner of before has
// taken all the same, the next one knows by its message ids.
func (d *Door) post(w http.ResponseWriter, r *http.Request, body []byte, org, call string) {
	ctx, cancel := context.WithTimeout(r.Context(), d.cfg.Patience)
	defer cancel()
	for {
		changed := d.cfg.Routes.Changed()
		response, err := d.forward(ctx, r, body, org, call)
		if err == nil && !passing(response.StatusCode) {
			pass(w, response)
			return
		}
		if err == nil {
			response.Body.Close()
		}
		if errors.Is(err, errForeign) || !lookAgain(ctx, changed) {
			d.complain(cmp.Or(err, errNoOwner))
			refuse(w, http.StatusServiceUnavailable, "overloaded", errNoOwner.Error())
			return
		}
	}
}

// forward asks the owner once.
func (d *Door) forward(ctx context.Context, r *http.Request, body []byte, org, call string) (*http.Response, error) {
	target, ok := d.cfg.Routes.Route(org, call)
	if !ok {
		return nil, errNoOwner
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address("http", target, r), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = d.header(target, r)
	response, err := d.client.Do(request)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errNoOwner, err)
	case response.StatusCode == http.StatusUnauthorized:
		response.Body.Close()
		return nil, errForeign
	}
	return response, nil
}

// pass gives the client what the owner has answered.
func pass(w http.ResponseWriter, response *http.Response) {
	defer response.Body.Close()
	for _, name := range []string{"Content-Type", "Retry-After"} {
		if v := response.Header.Get(name); v != "" {
			w.Header().Set(name, v)
		}
	}
	w.WriteHeader(response.StatusCode)
	_, _ = io.Copy(w, response.Body) // a client who has gone hears nothing
}
