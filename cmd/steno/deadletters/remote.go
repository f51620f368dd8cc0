package deadletters

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"example.com/steno/batcher/spool"
)

// Remote are the dead letters of a running daemon.
type Remote struct {
	URL    string // of its admin listener, without a slash at the end
	Client *http.Client
}

var _ Letters = (*Remote)(nil)

// List reads the daemon's lines.
func (l *Remote) List(ctx context.Context, f Filter, each func(Shown) error) error {
	return l.stream(ctx, "/deadletters", f, func(body io.Reader) error {
		for lines := json.NewDecoder(body); ; {
			var d Shown
			if err := lines.Decode(&d); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				return fmt.Errorf("read the list of dead letters: %w", err)
			}
			if err := each(d); err != nil {
				return err
			}
		}
	})
}

// Export copies the daemon's lines.
func (l *Remote) Export(ctx context.Context, f Filter, w io.Writer) error {
	return l.stream(ctx, "/deadletters/export", f, func(body io.Reader) error {
		_, err := io.Copy(w, body)
		return err
	})
}

func (l *Remote) stream(ctx context.Context, path string, f Filter, read func(io.Reader) error) error {
	resp, err := l.do(ctx, http.MethodGet, path+"?"+f.query(), nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return refusal(resp)
	}
	if err := read(resp.Body); err != nil {
		return err
	}
	return told(resp.Trailer.Get(trailer))
}

// told is what tell has put into a trailer.
func told(header string) error {
	kind, quoted, found := strings.Cut(header, " ")
	if !found {
		return nil
	}
	words, err := strconv.Unquote(quoted)
	if err != nil {
		words = quoted
	}
	if kind == "damaged" {
		return damagedError(words)
	}
	return errors.New(words)
}

// damagedError is a spool.ErrDamaged in the daemon's words.
type damagedError string

func (e damagedError) Error() string { return string(e) }

// Is makes it an ErrDamaged.
func (e damagedError) Is(target error) bool { return target == spool.ErrDamaged }

// Show asks for one letter.
func (l *Remote) Show(ctx context.Context, org string, id uint64) (d Shown, err error) {
	resp, err := l.do(ctx, http.MethodGet, "/deadletters/"+strconv.FormatUint(id, 10)+"?"+Filter{Org: org}.query(), nil)
	if err != nil {
		return d, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return d, refusal(resp)
	}
	return d, json.NewDecoder(resp.Body).Decode(&d)
}

// Change asks for a change, and waits for as long as it takes.
func (l *Remote) Change(ctx context.Context, act Act, s Selection) (int, error) {
	body, err := json.Marshal(s)
	if err != nil {
		return 0, err
	}
	resp, err := l.do(ctx, http.MethodPost, "/deadletters/"+string(act), body)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var c changed
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		return 0, fmt.Errorf("the daemon answers %s: %w", resp.Status, err)
	}
	switch {
	case c.Damaged:
		return c.Changed, damagedError(c.Error)
	case resp.StatusCode != http.StatusOK:
		return c.Changed, errors.New(c.Error)
	}
	return c.Changed, nil
}

func (l *Remote) do(ctx context.Context, method, path string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, l.URL+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return l.Client.Do(req)
}

// refusal is the error that an answer tells.
func refusal(resp *http.Response) error {
	var told struct {
		Error string `json:"error"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxBody)).Decode(&told); err != nil || told.Error == "" {
		return fmt.Errorf("the daemon answers %s", resp.Status)
	}
	return errors.New(told.Error)
}
