package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"example.com/steno/batcher/spool"
	"github.com/tidwall/gjson"
)

// postWait is how long a request waits for the spool. Whoever pushes over HTTP
// has a time-out of its own, and rather hears 503 than nothing.
const postWait = 10 * time.Second

// maxPosts is how many requests of one call may wait for the spool at once. Few
// people speak in a call: a client with more of them sends without waiting for
// answers, and would take the memory of all others.
const maxPosts = 32

var errTooManyPosts = fmt.Errorf("at most %d requests of a call are taken at once: wait for answers", maxPosts)

// servePost is the HTTP door: utterances of one call, all or none.
func (s *Server) servePost(w http.ResponseWriter, r *http.Request) {
	if !s.enter(w, r) {
		return
	}
	defer s.leave()
	received := time.Now()
	body, ok := s.body(w, r)
	if !ok {
		return
	}
	p, f := s.post(r, asText(body), received)
	if f != nil {
		writeFault(w, http.StatusBadRequest, f)
		return
	}
	s.answerPost(w, p)
}

// body reads a request's body, or answers it.
func (s *Server) body(w http.ResponseWriter, r *http.Request) (body []byte, ok bool) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(s.cfg.MaxFrame)))
	if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
		writeFault(w, http.StatusRequestEntityTooLarge, &fault{codeTooLarge, fmt.Sprintf("a body holds at most %d bytes", s.cfg.MaxFrame)})
		return nil, false
	}
	if err != nil {
		writeFault(w, http.StatusBadRequest, invalid("the body could not be read to its end"))
		return nil, false
	}
	return body, true
}

// answerPost makes a post safe and says so, or asks for it again.
func (s *Server) answerPost(w http.ResponseWriter, p *post) {
	ctx, cancel := context.WithTimeout(s.hard, postWait)
	defer cancel()
	if err := s.storePost(ctx, p); errors.Is(err, errTooManyPosts) {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		s.refuse(w, http.StatusTooManyRequests, "busy", &fault{codeOverloaded, err.Error()})
		return
	} else if err != nil {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
		writeFault(w, http.StatusServiceUnavailable, &fault{codeOverloaded, "utterances cannot be stored now: send them again"})
		return
	}
	writeJSON(w, http.StatusAccepted, map[string]int{"acked": len(p.records)})
}

// post is the utterances of one request.
type post struct {
	call    callKeyOf
	records []*spool.Record
	holder  holder // of its message ids, until its outcome is known
}

// post validates a body: one utterance or an array of them.
func (s *Server) post(r *http.Request, body string, received time.Time) (*post, *fault) {
	key, f := callKey("vendorCallKey", given(r.PathValue("vendorCallKey")))
	if f != nil {
		return nil, f
	}
	if org := r.URL.Query().Get("org"); s.cfg.Org != "" && org != "" && org != s.cfg.Org {
		return nil, unknownOrg(org)
	}
	body = strings.Trim(body, jsonSpace)
	if !shallow(body) || !gjson.Valid(body) {
		return nil, invalid("the body is not JSON")
	}
	o := &opening{id: spool.StreamID{Org: s.cfg.Org, Call: key}, call: key}
	p := &post{call: callKeyOf{o.id.Org, key}}
	switch v := valueOf(gjson.Parse(body)); {
	case v.isObject():
		return p, s.postOne(p, o, v.text, received)
	case v.isArray():
		v.each(func(_ string, v value) bool {
			path := fmt.Sprintf("utterances[%d]", len(p.records))
			if !v.isObject() {
				f = invalid("%s must be an object, is %s", path, describe(v))
			} else {
				f = s.postOne(p, o, v.text, received).within(path)
			}
			return f == nil
		})
		return p, f
	default:
		return nil, invalid("the body must be an object or an array of objects, is %s", describe(v))
	}
}

func (s *Server) postOne(p *post, o *opening, object string, received time.Time) *fault {
	m := decode(object)
	s.metrics.ignoredFields.Add(m.unknown)
	if _, f := m.inOrg(s.cfg.Org); f != nil {
		return f
	}
	u, f := m.utterance(o, s.cfg.MaxContent)
	if f != nil {
		return f
	}
	if u.messageID == "" {
		u.messageID = contentMessageID(o.call, &u)
	}
	p.records = append(p.records, u.record(o, u.messageID, received))
	return nil
}

// storePost appends what of the post the call does not have yet.
func (s *Server) storePost(ctx context.Context, p *post) error {
	fresh, ids, err := s.beginPost(p)
	if err != nil || len(fresh) == 0 {
		return err
	}
	err = s.append(ctx, fresh)
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.registry.call(p.call)
	defer s.registry.tidy(c)
	c.posts--
	for _, id := range ids {
		if err != nil {
			s.registry.drop(id, p.holder)
		} else {
			s.registry.keep(id, p.holder)
		}
	}
	return err
}

// beginPost says what of a post is new, and by which ids it is known until its
// outcome is.
func (s *Server) beginPost(p *post) (fresh []*spool.Record, ids []place, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.registry.call(p.call)
	defer s.registry.tidy(c)
	if c.posts >= maxPosts {
		return nil, nil, errTooManyPosts
	}
	p.holder = s.registry.holder()
	for _, r := range p.records {
		if s.registry.seen(c, s.registry.hasher.hash(r.MessageID), p.holder) {
			s.metrics.duplicates.Inc()
			continue
		}
		fresh = append(fresh, r)
		for _, name := range append([]string{r.MessageID}, r.Also...) {
			id := s.registry.hasher.hash(name)
			if s.registry.seen(c, id, p.holder) {
				continue
			}
			at, first := s.registry.remember(c, id, p.holder, r.Received)
			ids = append(ids, at)
			if first {
				signal(s.wake)
			}
		}
	}
	if len(fresh) > 0 {
		c.posts++
	}
	return fresh, ids, nil
}

func writeFault(w http.ResponseWriter, status int, f *fault) {
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": f.code, "message": f.text}})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An answer that cannot be written has no reader.
	_ = json.NewEncoder(w).Encode(v)
}
