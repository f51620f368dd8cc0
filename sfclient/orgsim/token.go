package orgsim

import (
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// serveToken answers the OAuth 2.0 client credentials flow. Salesforce takes
// form-encoded parameters only and tells no expires_in.
func (o *Org) serveToken(w http.ResponseWriter, r *http.Request) {
	body, tooBig := readBody(r)
	v := o.arrive(Token, body)
	rep, ok := o.meetOutage(r.Context())
	if !ok {
		rep = o.workOnToken(r, v, tooBig)
	}
	o.leave(v, rep)
	rep.write(w)
}

func (o *Org) workOnToken(r *http.Request, v *visit, tooBig bool) reply {
	o.wait(r.Context(), v.delay)
	if rep, ok := v.fault.instead(); ok {
		return rep
	}
	if tooBig {
		return oauthError("invalid_request", "request too large")
	}
	rep := o.login(r, v.body)
	rep.cut = v.fault.Kind == CutAfter
	return rep
}

func (o *Org) login(r *http.Request, body []byte) reply {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form, formErr := url.ParseQuery(string(body))
	switch {
	case r.Method != http.MethodPost:
		return oauthError("invalid_request", "must use HTTP POST")
	case err != nil || media != "application/x-www-form-urlencoded" || formErr != nil,
		form.Get("grant_type") != "client_credentials":
		return oauthError("unsupported_grant_type", "grant type not supported")
	case form.Get("client_id") == "" || o.cfg.ClientID != "" && form.Get("client_id") != o.cfg.ClientID:
		return oauthError("invalid_client_id", "client identifier invalid")
	case form.Get("client_secret") == "" || o.cfg.ClientSecret != "" && form.Get("client_secret") != o.cfg.ClientSecret:
		return oauthError("invalid_client", "invalid client credentials")
	}
	now := time.Now()
	token, ok := o.openSession(now)
	if !ok {
		return oauthError("login_rate_exceeded", "LOGIN_RATE_EXCEEDED: at most 3,600 logins an hour")
	}
	instance := o.cfg.InstanceURL
	if instance == "" {
		instance = "http://" + r.Host
	}
	return jsonReply(200, map[string]string{
		"access_token": token,
		"instance_url": instance,
		"id":           "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
		"token_type":   "Bearer",
		"issued_at":    fmt.Sprint(now.UnixMilli()),
		"signature":    "c2ltdWxhdGVkIG9yZywgbm90aGluZyBzaWduZWQgaGVyZQ==",
	})
}

func oauthError(code, description string) reply {
	rep := jsonReply(400, map[string]string{"error": code, "error_description": description})
	rep.refusal = code
	return rep
}

// openSession gives out a token, unless there were too many logins.
func (o *Org) openSession(now time.Time) (string, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.logins.count(now) >= maxLogins {
		return "", false
	}
	o.logins.add(now)
	o.issued++
	random := rand.New(rand.NewPCG(o.cfg.Seed, o.issued))
	token := fmt.Sprintf("00D000000000001!%016x%016x.%d", random.Uint64(), random.Uint64(), o.issued)
	o.sessions[token] = now
	return token, true
}

// session checks the bearer token, and that the request came to the org's own
// host. The caller holds the lock.
func (o *Org) session(r *http.Request, now time.Time) bool {
	if o.cfg.InstanceURL != "" {
		if own, err := url.Parse(o.cfg.InstanceURL); err != nil || !strings.EqualFold(own.Host, r.Host) {
			return false
		}
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return false
	}
	used, ok := o.sessions[token]
	if !ok {
		return false
	}
	if o.cfg.SessionTimeout > 0 && now.Sub(used) >= o.cfg.SessionTimeout {
		delete(o.sessions, token)
		return false
	}
	o.sessions[token] = now
	return true
}

// readBody reads a request's body to its limit. It reads on to the end, for
// net/http notices a client that gives up only once the body has been read.
func readBody(r *http.Request) (body []byte, tooBig bool) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if len(body) > maxBody {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 10*maxBody))
		return nil, true
	}
	if err != nil {
		return nil, false // the client has gone: what is left is not JSON
	}
	return body, false
}
