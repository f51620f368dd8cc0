package sfclient_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient"
)

// expired is what Salesforce says to a token that is no longer good.
var expired = say(401, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`)

func TestLoginIsAForm(t *testing.T) {
	o := &org{}
	if err := direct(t, o).Token(t.Context()); err != nil {
		t.Fatalf("Token = %v", err)
	}
	got := o.logins[0]
	form, err := url.ParseQuery(got.body)
	want := url.Values{"grant_type": {"client_credentials"}, "client_id": {"id"}, "client_secret": {"secret"}}
	if err != nil || form.Encode() != want.Encode() {
		t.Errorf("login body = %q (%v), want %q", got.body, err, want.Encode())
	}
	if got.method != "POST" || got.contentType != "application/x-www-form-urlencoded" || got.authorization != "" {
		t.Errorf("login = %+v, want a POST of a form without Authorization", got)
	}
}

// T1: one login for all who need it, and one renewal.
func TestOneLoginForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 64
		o := &org{login: func(w http.ResponseWriter, r *http.Request, n int) {
			time.Sleep(time.Second)
			grant(w, r, n)
		}}
		var valid sync.Mutex
		token := "Bearer token-1" // guarded by valid
		o.answer = func(w http.ResponseWriter, r *http.Request, n int) {
			time.Sleep(time.Second)
			valid.Lock()
			ok := r.Header.Get("Authorization") == token
			valid.Unlock()
			if !ok {
				expired(w, r, n)
				return
			}
			say(200, accepted)(w, r, n)
		}
		client := connected(t, o)
		round := func() {
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					if _, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`)); err != nil {
						t.Errorf("SendMessage = %v", err)
					}
				})
			}
			all.Wait()
		}
		round()
		if logins, posts := o.counts(); logins != 1 || posts != callers {
			t.Fatalf("%d logins and %d posts, want 1 and %d", logins, posts, callers)
		}
		valid.Lock()
		token = "Bearer token-2"
		valid.Unlock()
		round()
		if logins, posts := o.counts(); logins != 2 || posts != 3*callers {
			t.Errorf("after the expiry %d logins and %d posts, want 2 and %d", logins, posts, 3*callers)
		}
	})
}

// A caller that gives up leaves the login to the others.
func TestCallerLeavesTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{login: func(w http.ResponseWriter, r *http.Request, n int) {
			time.Sleep(10 * time.Second)
			grant(w, r, n)
		}}
		client := connected(t, o)
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var all sync.WaitGroup
		all.Go(func() {
			err := client.Token(ctx)
			if e := typed(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Verdict() != sfclient.Retry || e.Ambiguous {
				t.Errorf("Token of who leaves = %v, verdict %v, ambiguous %t; want its deadline, retry, not ambiguous", e, e.Verdict(), e.Ambiguous)
			}
			if waited := time.Since(start); waited != time.Second {
				t.Errorf("who leaves waited %v, want 1s", waited)
			}
		})
		synctest.Wait()
		all.Go(func() {
			if err := client.Token(t.Context()); err != nil {
				t.Errorf("Token of who stays = %v", err)
			}
		})
		all.Wait()
		if logins, _ := o.counts(); logins != 1 || time.Since(start) != 10*time.Second {
			t.Errorf("%d logins in %v, want 1 in 10s", logins, time.Since(start))
		}
	})
}

// A token that has run out is renewed and the request replayed, once.
func TestRenewedOnceAndReplayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: inOrder(expired, say(200, accepted))}
		client := connected(t, o)
		if _, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)}); err != nil {
			t.Fatalf("SendBulk = %v", err)
		}
		if len(o.posts) != 2 || o.posts[0].body != o.posts[1].body {
			t.Fatalf("posts = %+v, want the same body twice", o.posts)
		}
		if a, b := o.posts[0].authorization, o.posts[1].authorization; a != "Bearer token-1" || b != "Bearer token-2" {
			t.Errorf("posts with %q and %q, want token-1 and token-2", a, b)
		}
	})
}

// A refusal of the old token that comes late takes the new one from nobody.
func TestLateRefusalOfAnOldToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: inOrder(slowly(3*time.Second, expired), slowly(time.Second, expired), say(200, accepted))}
		client := connected(t, o)
		if err := client.Token(t.Context()); err != nil {
			t.Fatalf("Token = %v", err)
		}
		var all sync.WaitGroup
		for range 2 {
			all.Go(func() {
				if _, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`)); err != nil {
					t.Errorf("SendMessage = %v", err)
				}
			})
		}
		all.Wait()
		if logins, posts := o.counts(); logins != 2 || posts != 4 {
			t.Errorf("%d logins, %d posts; want 2 and 4", logins, posts)
		}
	})
}

// A refused token that cannot be renewed: the login's error comes back, and
// tells that the request's body had been written.
func TestRefusedAndNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{login: inOrder(grant, say(503, "")), answer: expired}
		start := time.Now()
		_, err := connected(t, o).SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
		if e := typed(t, err); e.Endpoint != sfclient.EndpointToken || e.Status != 503 || !e.Written.Equal(start) || e.Ambiguous {
			t.Errorf("SendMessage = %v, written %v, ambiguous %t; want the login's 503, written at once, not ambiguous", e, e.Written, e.Ambiguous)
		}
	})
}

// T3: a token that works ends the trouble, so the next trouble starts small.
func TestSpacingStartsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := say(503, "")
		o := &org{login: inOrder(busy, busy, busy, grant, busy), answer: inOrder(say(200, accepted), expired)}
		client := connected(t, o)
		send := func() error {
			_, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
			return err
		}
		for err := send(); err != nil; err = send() {
			time.Sleep(typed(t, err).RetryAfter)
		}
		time.Sleep(time.Minute)
		if e := typed(t, send()); e.Status != 503 || e.RetryAfter != 5*time.Second {
			t.Errorf("first failed login after a token that worked = %v, RetryAfter %v; want 503, 5s", e, e.RetryAfter)
		}
	})
}

// A second refusal in a row is an alarm, not a loop; and while it lasts no
// request goes out at all.
func TestRefusedTwiceHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: expired}
		client := connected(t, o)
		send := func() *sfclient.Error {
			_, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)})
			return typed(t, err)
		}
		e := send()
		if e.Verdict() != sfclient.Hold || e.Status != 401 || e.Code != "INVALID_SESSION_ID" || e.RetryAfter != 5*time.Second {
			t.Errorf("second 401 = %v, verdict %v, RetryAfter %v; want hold, 5s", e, e.Verdict(), e.RetryAfter)
		}
		if e.Written.IsZero() {
			t.Error("second 401 does not say when its body was written")
		}
		e = send()
		if logins, posts := o.counts(); e.Verdict() != sfclient.Hold || logins != 2 || posts != 2 || !e.Written.IsZero() {
			t.Errorf("while spaced out: %v, verdict %v, %d logins, %d posts; want hold, 2 and 2", e, e.Verdict(), logins, posts)
		}
		if err := client.Token(t.Context()); typed(t, err).Verdict() != sfclient.Hold {
			t.Errorf("Token while held = %v, want hold", err)
		}
		time.Sleep(5 * time.Second)
		o.answer = say(200, accepted)
		if _, err := client.SendBulk(t.Context(), []sfclient.RawEntry{raw("call-1", 1)}); err != nil {
			t.Errorf("SendBulk once it is mended = %v", err)
		}
	})
}

// T3: in trouble, logins are 5, 10, 20, 40, 60, 60 seconds apart; T4: nobody
// blocks meanwhile.
func TestFailedLoginsAreSpacedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{login: say(503, "")}
		client := connected(t, o)
		start := time.Now()
		for time.Since(start) < 200*time.Second {
			before := time.Now()
			e := typed(t, client.Token(t.Context()))
			if !time.Now().Equal(before) {
				t.Fatalf("Token blocked for %v", time.Since(before))
			}
			if e.RetryAfter <= 0 || e.Status != 503 || e.Verdict() != sfclient.Retry {
				t.Fatalf("Token = %v, verdict %v, RetryAfter %v; want 503, retry, above 0", e, e.Verdict(), e.RetryAfter)
			}
			time.Sleep(500 * time.Millisecond)
		}
		var at []time.Duration
		for _, login := range o.logins {
			at = append(at, login.at.Sub(start)/time.Second)
		}
		if want := []time.Duration{0, 5, 15, 35, 75, 135, 195}; !slices.Equal(at, want) {
			t.Errorf("logins at seconds %d, want %d", at, want)
		}
	})
}

// A login's Retry-After stretches the spacing, up to its greatest.
func TestLoginRetryAfter(t *testing.T) {
	f := func(header string, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			o := &org{login: say(429, "", "Retry-After", header)}
			e := typed(t, connected(t, o).Token(t.Context()))
			if e.RetryAfter != want || e.Verdict() != sfclient.Throttle {
				t.Errorf("Retry-After %q: RetryAfter %v, verdict %v; want %v, throttle", header, e.RetryAfter, e.Verdict(), want)
			}
		})
	}
	f("1", 5*time.Second)
	f("30", 30*time.Second)
	f("3600", 60*time.Second)
}

// While a token works, at most two logins start within five seconds, however
// often somebody else's login revokes ours.
func TestRenewalsAreSpacedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &org{answer: func(w http.ResponseWriter, r *http.Request, n int) {
			if n%2 == 1 {
				expired(w, r, n)
				return
			}
			say(200, accepted)(w, r, n)
		}}
		client := connected(t, o)
		start := time.Now()
		var renewed, spaced int
		for time.Since(start) < 60*time.Second {
			_, err := client.SendMessage(t.Context(), "call-1", []byte(`{"a":1}`))
			if err == nil {
				renewed++
			} else if e := typed(t, err); e.Verdict() == sfclient.Renew && e.RetryAfter > 0 {
				spaced++
			} else {
				t.Fatalf("SendMessage = %v, verdict %v; want renew", e, e.Verdict())
			}
			time.Sleep(100 * time.Millisecond)
		}
		if logins, _ := o.counts(); logins > 25 || logins < 12 || spaced == 0 || renewed == 0 {
			t.Errorf("%d logins in a minute, %d renewed, %d spaced out; want at most 25 logins, some of both", logins, renewed, spaced)
		}
	})
}

func TestInstanceURL(t *testing.T) {
	f := func(instance, want string) {
		t.Helper()
		o := &org{login: say(200, fmt.Sprintf(`{"access_token":"t","instance_url":%q}`, instance))}
		err := direct(t, o).Token(t.Context())
		if want == "" {
			if err != nil {
				t.Errorf("instance_url %q: %v, want it taken", instance, err)
			}
			return
		}
		e := typed(t, err)
		if e.Verdict() != sfclient.Hold || !strings.Contains(e.Error(), want) {
			t.Errorf("instance_url %q: %v, verdict %v; want hold and %q", instance, e, e.Verdict(), want)
		}
	}
	f("https://abc-123.my.salesforce.com", "")
	f("https://abc--dev.sandbox.my.salesforce.com:443/", "")
	f("https://ABC.MY.salesforce.com", "")
	f("http://127.0.0.1:8080", "")
	f("http://localhost", "")
	f("http://[::1]:1", "")
	f("https://abc-123.lightning.force.com", "does not end in .my.salesforce.com")
	f("https://my.salesforce.com.evil.example", "does not end in")
	f("https://evilmy.salesforce.com", "does not end in")
	f("https://x.my.salesforce.com@evil.example", "must not hold a user")
	f("http://abc.my.salesforce.com", "must be https")
	f("ftp://127.0.0.1", "must begin with https://")
	f("https://abc.my.salesforce.com/path", "must not have a path")
	f("https://", "has no host")
	f("", "must begin with https://")
}

// Requests go to the instance_url, not to the login's host; and no redirect
// takes the token elsewhere.
func TestTokenStaysWithItsHost(t *testing.T) {
	var hosts []string
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts = append(hosts, r.URL.Scheme+"://"+r.URL.Host)
		if r.URL.Path == "/services/oauth2/token" {
			fmt.Fprint(w, `{"access_token":"t","instance_url":"https://abc.my.salesforce.com"}`)
			return
		}
		http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
	})
	client := newClient(t, config(handed{h}))
	_, err := client.ClearRouting(t.Context(), "call-1")
	if e := typed(t, err); e.Status != 307 || e.Verdict() != sfclient.Hold {
		t.Errorf("ClearRouting = %v, verdict %v; want the 307 itself, hold", e, e.Verdict())
	}
	if want := []string{"http://127.0.0.1", "https://abc.my.salesforce.com"}; !slices.Equal(hosts, want) {
		t.Errorf("hosts %q, want %q", hosts, want)
	}
}

// A token that could smuggle a header in is no token, and is not quoted.
func TestTokenOfStrangeBytes(t *testing.T) {
	o := &org{login: say(200, `{"access_token":"se\r\ncret","instance_url":"http://127.0.0.1"}`)}
	e := typed(t, direct(t, o).Token(t.Context()))
	if e.Verdict() != sfclient.Retry || strings.Contains(e.Error(), "cret") {
		t.Errorf("Token = %v, verdict %v; want retry, and nothing of the token", e, e.Verdict())
	}
}
