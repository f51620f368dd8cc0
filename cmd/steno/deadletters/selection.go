package deadletters

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"example.com/steno/batcher/spool"
)

// ErrSelection is in the error of a Selection or a Filter that makes no sense.
var ErrSelection = errors.New("which dead letters?")

// Filter says which dead letters are meant; its zero value all of them.
type Filter struct {
	Org    string    `json:"org,omitempty"`
	Call   string    `json:"vendorCallKey,omitempty"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since,omitzero"` // rejected then or later
}

func (f Filter) spools() spool.LetterFilter {
	return spool.LetterFilter{Org: f.Org, Call: f.Call, Reason: f.Reason, Since: f.Since}
}

// query is the filter in a URL.
func (f Filter) query() string {
	q := url.Values{}
	for name, value := range map[string]string{"org": f.Org, "call": f.Call, "reason": f.Reason} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	return q.Encode()
}

// parseFilter reads query's URL. A mistyped name must not widen a filter.
func parseFilter(query string) (f Filter, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return f, fmt.Errorf("%w The query cannot be read: %w", ErrSelection, err)
	}
	for name, value := range values {
		one := strings.Join(value, ",")
		switch name {
		case "org":
			f.Org = one
		case "call":
			f.Call = one
		case "reason":
			f.Reason = one
		case "since":
			if f.Since, err = time.Parse(time.RFC3339Nano, one); err != nil {
				return f, fmt.Errorf("%w since is %q: must be a time such as 2026-11-25T09:00:00Z", ErrSelection, one)
			}
		default:
			return f, fmt.Errorf("%w %q is no filter: there are org, call, reason and since", ErrSelection, name)
		}
	}
	return f, nil
}

// Selection is what a change is about: letters by number, or those that pass a
// filter, or all of them. None of the three is nothing, never everything. The
// org may be named beside each of them.
type Selection struct {
	IDs []uint64 `json:"ids,omitempty"`
	All bool     `json:"all,omitempty"`
	Filter
}

// Check says what is wrong with the selection.
func (s Selection) Check() error {
	narrow := s.Filter
	narrow.Org = ""
	filtered := narrow != Filter{}
	switch {
	case len(s.IDs) > maxIDs:
		return fmt.Errorf("%w %d numbers are too many at once: at most %d", ErrSelection, len(s.IDs), maxIDs)
	case len(s.IDs) == 0 && !s.All && s.Filter == Filter{}:
		return fmt.Errorf("%w Give numbers, a filter, or all", ErrSelection)
	case len(s.IDs) > 0 && (s.All || filtered), s.All && filtered:
		return fmt.Errorf("%w Give one of numbers, a filter, or all", ErrSelection)
	}
	return nil
}

// maxIDs bounds a change by number.
const maxIDs = 10_000
