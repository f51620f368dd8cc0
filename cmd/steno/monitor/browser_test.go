package monitor_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"example.com/steno/cmd/steno/daemon"
	"example.com/steno/sfclient/orgsim"
)

var quick = orgsim.Config{MakeCalls: true, AnswerTime: orgsim.AnswerTime{Median: 20 * time.Millisecond}, DailyLimit: 10_000, LimitInfo: true}

// hostile is a call whose name is markup, as whoever dials may choose it.
const hostile = `<img src=x onerror="document.title='pwned'">`

func TestPageShowsWhatStatusAndMetricsShow(t *testing.T) {
	b := newBrowser(t)
	r := newRig(t, quick, "STENO_MONITOR_TEXT=on")
	b.look(r.page())
	s, evil := r.open(r.engine, "call-a"), r.open(r.engine, hostile)
	for i := range 7 {
		r.say(s, fmt.Sprint("words ", i), 300*time.Millisecond)
	}
	r.say(evil, "<b>not bold</b>", 300*time.Millisecond)
	status := r.status(func(s daemon.Status) bool { return s.Account.Delivered == 8 })
	b.until("window.stenoShown.account.delivered === 8 && document.querySelectorAll('#call-list li').length === 2")
	metrics := r.get("/metrics")
	for _, shown := range []struct {
		id, metric string
		status     uint64
	}{
		{"accepted", "steno_utterances_accepted_total", status.Account.Accepted},
		{"delivered", "steno_utterances_delivered_total", status.Account.Delivered},
		{"pending", "steno_utterances_pending", status.Account.Pending},
		{"connections", "steno_connections", uint64(status.Connections)},
		{"calls", "steno_calls_active", uint64(status.Calls)},
	} {
		if got, want := b.text("document.getElementById('"+shown.id+"').textContent"), fmt.Sprint(shown.status); got != want || !strings.Contains(metrics, "\n"+shown.metric+" "+want+"\n") {
			t.Errorf("the page shows %s %s, /status.json %s, and /metrics not the same", got, shown.id, want)
		}
	}
	if got := b.text("document.getElementById('headline').textContent"); got != "Agents see speech in time" {
		t.Errorf("the headline is %q", got)
	}
	if got := b.text("document.title + document.querySelectorAll('#call-list img, #call-list b').length"); strings.Contains(got, "pwned") || !strings.HasSuffix(got, "0") {
		t.Errorf("a call's name or words became markup: %s", got)
	}
	if list := b.text("document.getElementById('call-list').textContent"); !strings.Contains(list, hostile) || !strings.Contains(list, "<b>not bold</b>") || !strings.Contains(list, "words 6") {
		t.Errorf("the calls are shown as %s", list)
	}

	// By keyboard: find the call, open its timeline, close it.
	b.find("call-")
	b.until("document.querySelectorAll('#call-list li').length === 1 && document.getElementById('found').textContent === '1 found'")
	b.do(chromedp.KeyEvent("\t"), chromedp.KeyEvent("\r"))
	b.until("!document.getElementById('one').hidden && document.getElementById('one').textContent.includes('words 6')")
	b.until("/end of speech [0-9:.]+ · received [0-9:.]+ · written [0-9:.]+ · accepted [0-9:.]+ UTC/.test(document.getElementById('one').textContent)")
	b.do(chromedp.KeyEvent("\u001b"))
	b.until("document.getElementById('one').hidden")
}

// find types into the search, to which the key / leads. The driver's / is typed
// as well, which a keyboard's is not.
func (b browser) find(part string) {
	b.do(chromedp.KeyEvent("/"))
	b.until("document.activeElement.id === 'search'")
	b.do(chromedp.Evaluate[chromedp.Void]("document.getElementById('search').value = ''"), chromedp.KeyEvent(part))
}

// Of several orgs the page shows one, and another when somebody chooses it.
func TestPageShowsOneOfSeveralOrgs(t *testing.T) {
	b := newBrowser(t)
	file := filepath.Join(t.TempDir(), "orgs.yaml")
	if err := os.WriteFile(file, []byte("orgs: [{name: one, default: true}, {name: two, tokens: [t]}]"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, quick, "STENO_ORGS_FILE="+file)
	said := strings.NewReader(`{"senderType":"END_USER","startTime":1795599000000,"endTime":1795599001000,"content":"x"}`)
	req, err := http.NewRequest(http.MethodPost, "http://"+r.doors+"/v1/calls/call-of-two/utterances", said)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer t")
	resp, err := http.DefaultClient.Do(req)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%v, %+v", err, resp)
	}
	resp.Body.Close()
	r.say(r.open(r.engine, "call-of-one"), "words", time.Second)
	b.look(r.page())
	b.until("window.stenoShown.org === 'one' && document.getElementById('call-list').textContent.includes('call-of-one')")
	if got := b.text("[...document.getElementById('org').options].map((o) => o.value).join() + document.getElementById('org').hidden + document.title"); !strings.Contains(got, "one,twofalse") || !strings.Contains(got, "Steno one") {
		t.Errorf("the page offers %s", got)
	}
	// Later, for it leaves the page, and nothing could be answered then.
	b.text("setTimeout(() => { const org = document.getElementById('org'); org.value = 'two'; org.dispatchEvent(new Event('change')) })")
	b.until("window.stenoShown && window.stenoShown.org === 'two' && document.getElementById('call-list').textContent.includes('call-of-two')")
	b.find("call")
	b.until("document.getElementById('found').textContent === '1 found'")
	b.look(r.page() + "?org=nobody")
	b.until("window.stenoShown && document.getElementById('headline').textContent === 'Nothing works for this org'")
}

// The page that looks says so when the daemon is gone, and goes on by itself
// with the next one.
func TestPageSurvivesARestart(t *testing.T) {
	b := newBrowser(t)
	r := newRig(t, quick)
	b.look(r.page())
	r.say(r.open(r.engine, "before"), "hello", 0)
	b.until("window.stenoShown.account.delivered === 1")
	r.stop()
	b.until("document.getElementById('verdict').dataset.state === 'lost'")
	r.start()
	b.until("document.getElementById('verdict').dataset.state !== 'lost' && window.stenoShown.account.accepted === 0")
	r.say(r.open(r.engine, "after"), "hello", 0)
	b.until("window.stenoShown.account.delivered === 1 && document.getElementById('call-list').textContent.includes('after')")
	if got := b.text("document.getElementById('call-list').textContent"); strings.Contains(got, "hello") {
		t.Errorf("what is said is shown though STENO_MONITOR_TEXT is off: %s", got)
	}
}

// within is how soon a fault must show on the page, at its place.
const within = 2 * time.Second

func TestPageShowsABadClock(t *testing.T) {
	b := newBrowser(t)
	r := newRig(t, quick)
	b.look(r.page())
	good := r.open(r.engine, "good")
	r.say(good, "hello", 300*time.Millisecond)
	b.until("window.stenoShown.account.delivered === 1")
	bad := r.open(r.connect(), "bad")
	r.say(bad, "hello", 30*time.Second)
	if took := b.until("/clock is 29.* s behind/.test(document.querySelector('#stage-engine.hot .warn').textContent)"); took > within {
		t.Errorf("the bad clock showed after %v", took)
	}
	b.until("window.stenoShown.account.delivered === 2")
	if got := b.text("document.getElementById('headline').textContent"); got != "Agents see speech in time" {
		t.Errorf("with one bad clock the headline is %q", got)
	}
}

func TestPageShowsASlowSalesforce(t *testing.T) {
	b := newBrowser(t)
	r := newRig(t, quick)
	b.look(r.page())
	s := r.open(r.engine, "a")
	r.say(s, "hello", 0)
	b.until("window.stenoShown.account.delivered === 1")
	r.org.Plan(orgsim.Fault{Kind: orgsim.Slow, Delay: 7 * time.Second})
	r.say(s, "slow", 0)
	if took := b.until("/1 here now/.test(document.querySelector('#stage-salesforce .inside').textContent)"); took > within {
		t.Errorf("the request under way showed after %v", took)
	}
	b.until("document.querySelector('#stage-salesforce.hot')")
	b.until("document.getElementById('headline').textContent === 'Agents see speech late' && document.getElementById('because').textContent.includes('Salesforce')")
	b.until("window.stenoShown.account.delivered === 2")
}

func TestPageShowsASpentBudget(t *testing.T) {
	b := newBrowser(t)
	cfg := quick
	cfg.DailyLimit = 12
	r := newRig(t, cfg)
	b.look(r.page())
	s := r.open(r.engine, "a")
	r.say(s, "first", 0)
	spent := r.status(func(st daemon.Status) bool {
		if st.Account.Pending == 0 && !st.Budget.Spent {
			r.say(s, "more", 0)
		}
		return st.Budget.Spent
	})
	if took := b.until("/share of the day.s requests is used up/.test(document.querySelector('#stage-held.hot .warn').textContent)"); took > within {
		t.Errorf("the spent budget (%+v) showed after %v", spent.Budget, took)
	}
	r.say(s, "held", 0)
	b.until("/1 here now/.test(document.querySelector('#stage-held .inside').textContent)")
}

// A budget that is only short stretches the wait for company, and the page says
// so there.
func TestPageShowsAStretchedWait(t *testing.T) {
	if testing.Short() {
		t.Skip("the pace is looked at every ten seconds")
	}
	b := newBrowser(t)
	cfg := quick
	cfg.DailyLimit = 200
	r := newRig(t, cfg)
	b.look(r.page())
	s := r.open(r.engine, "a")
	r.say(s, "first", 0)
	r.status(func(st daemon.Status) bool {
		if st.Account.Pending == 0 {
			r.say(s, "more", 0)
		}
		return st.Budget.Short
	})
	if took := b.until("/requests are short: waits up to/.test(document.querySelector('#stage-company.hot .warn').textContent)"); took > within {
		t.Errorf("the stretched wait showed after %v", took)
	}
}

func TestPageShowsAFullSpool(t *testing.T) {
	b := newBrowser(t)
	r := newRig(t, quick, "STENO_SPOOL_DIR="+t.TempDir(), "STENO_SPOOL_MAX_BYTES=1048576")
	b.look(r.page())
	s := r.open(r.engine, "a")
	r.say(s, "hello", 0)
	b.until("window.stenoShown.account.delivered === 1")
	r.org.Down(orgsim.Silent)
	for range 60 {
		r.say(s, strings.Repeat("so many words ", 2000), 0)
	}
	r.status(func(s daemon.Status) bool { return s.Spool != nil && len(s.Reasons) > 0 })
	if took := b.until("document.querySelector('#stage-spool.hot .warn').textContent"); took > within {
		t.Errorf("the full spool showed after %v", took)
	}
	if got := b.text("document.querySelector('#stage-spool .warn').textContent"); !strings.Contains(got, "full") {
		t.Errorf("the page says of the spool: %q", got)
	}
	r.org.Up()
}

// With 2,000 calls the page shows some, finds all, and is drawn in a blink.
func TestPageWithManyCalls(t *testing.T) {
	b := newBrowser(t)
	r := newRig(t, quick, "STENO_MONITOR_TEXT=on", "STENO_INGEST_MAX_STREAMS=2000")
	for i := range 2000 {
		r.say(r.open(r.engine, fmt.Sprintf("call-%04d", i)), "hello", 0)
	}
	r.status(func(s daemon.Status) bool { return s.Account.Delivered == 2000 })
	b.look(r.page())
	b.until("window.stenoShown.calls === 2000 && document.querySelectorAll('#call-list li').length === 50")
	if got := b.text("document.getElementById('calls').textContent"); got != "2000" {
		t.Errorf("the page shows %s calls, want 2000", got)
	}
	// A frame of 60 a second is 16 ms; a slow machine may take five of them.
	took := value(b, chromedp.Evaluate[float64]("(() => { const t = performance.now(); for (let i = 0; i < 20; i++) show(window.stenoShown); return (performance.now() - t) / 20 })()"))
	t.Logf("drawing a snapshot takes %.1f ms", took)
	if took > 80 {
		t.Errorf("drawing a snapshot takes %.1f ms", took)
	}
	b.find("call-1234")
	b.until("document.querySelectorAll('#call-list li').length === 1 && document.getElementById('call-list').textContent.includes('call-1234')")
}
