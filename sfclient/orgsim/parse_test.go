package orgsim_test

import (
	"encoding"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/steno/sfclient/orgsim"
)

func TestParseFaults(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		rates, err := orgsim.ParseFaults(text)
		if err != nil || rates.String() != want {
			t.Errorf("ParseFaults(%q) = %q, %v, want %q", text, rates, err, want)
		}
		if again, err := orgsim.ParseFaults(rates.String()); err != nil || !slices.Equal(again, rates) {
			t.Errorf("ParseFaults(%q) = %v, %v, want %v again", rates, again, err, rates)
		}
	}
	f("", "")
	f("500=0.01,cut-after=0.005,slow=0.1:2s", "500=0.01,cut-after=0.005,slow=0.1:2s")
	f(" 429=2e-2:30s , 207-exhausted=0.5:1,", "429=0.02:30s,207-exhausted=0.5:1")
	f("503=0.5:1500ms,403-total=0.5", "503=0.5:1.5s,403-total=0.5")

	bad := func(text, want string) {
		t.Helper()
		if rates, err := orgsim.ParseFaults(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseFaults(%q) = %v, %v, want an error with %q", text, rates, err, want)
		}
	}
	bad("500", "want kind=share")
	bad("418=0.1", "want one of [ok 401 403")
	bad("500=often", "want a number between 0 and 1")
	bad("500=1.5", "want a number between 0 and 1")
	bad("500=NaN", "want a number between 0 and 1")
	bad("500=0.6,502=0.6", "the shares make 1.2, above 1")
	bad("500=0.1,500=0.1", "500 is there twice")
	bad("slow=0.1", "want a duration above zero")
	bad("slow=0.1:-2s", "want a duration above zero")
	bad("429=0.1:soon", "Retry-After")
	bad("207-paused=0.1:0", "want a number of calls from 1")
	bad("500=0.1:2s", "takes no argument")
}

func TestParsePlan(t *testing.T) {
	plan, err := orgsim.ParsePlan("500, ok,slow:2s,429:30s,207-paused:2")
	want := []orgsim.Fault{
		{Kind: orgsim.ApexError}, {Kind: orgsim.OK}, {Kind: orgsim.Slow, Delay: 2 * time.Second},
		{Kind: orgsim.TooMany, RetryAfter: 30 * time.Second}, {Kind: orgsim.PausedEntry, Calls: 2},
	}
	if err != nil || !slices.Equal(plan, want) {
		t.Errorf("got %v, %v, want %v", plan, err, want)
	}
	if got := fmt.Sprint(plan); got != "[500 ok slow:2s 429:30s 207-paused:2]" {
		t.Errorf("printed %s", got)
	}
	if _, err := orgsim.ParsePlan("500,later"); err == nil {
		t.Error("an unknown fault was taken")
	}
}

// What a command line sets reads itself, tells what it wants, and prints the
// form that it reads.
func TestSettingsAsText(t *testing.T) {
	type setting interface {
		encoding.TextUnmarshaler
		fmt.Stringer
	}
	f := func(v setting, text, want string) {
		t.Helper()
		if err := v.UnmarshalText([]byte(text)); err != nil || v.String() != want {
			t.Errorf("%T %q: got %v, %v, want %s", v, text, v, err, want)
		}
	}
	f(new(orgsim.DuplicatePolicy), "store-twice", "store-twice")
	f(new(orgsim.RefusalStyle), "envelope-200", "envelope-200")
	f(new(orgsim.AnswerTime), "100ms", "100ms")
	f(new(orgsim.AnswerTime), "1s +- 50%", "1s±50%")
	f(new(orgsim.AnswerTime), "100ms±12.5%", "100ms±12.5%")
	f(new(orgsim.Rates), "500=0.1", "500=0.1")

	bad := func(v setting, text, want string) {
		t.Helper()
		if err := v.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%T %q: got %v, want an error with %q", v, text, err, want)
		}
	}
	bad(new(orgsim.DuplicatePolicy), "twice", "want one of ignore, refuse, store-twice")
	bad(new(orgsim.RefusalStyle), "", "want one of per-entry, envelope-200, envelope-400")
	bad(new(orgsim.AnswerTime), "fast", "the median must be a duration")
	bad(new(orgsim.AnswerTime), "3m", "between 0s and 2m")
	bad(new(orgsim.AnswerTime), "1s±much", "the spread must be a number")
	bad(new(orgsim.Rates), "500", "want kind=share")
}

// Half of the answer times lie below the median, two thirds within the spread.
func TestAnswerTimeSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, orgsim.Config{MakeCalls: true, AnswerTime: orgsim.AnswerTime{Median: 100 * time.Millisecond, Spread: 0.5}, Seed: 3})
		const n = 1000
		below, within := 0, 0
		for i := range n {
			start := time.Now()
			c.bulk(fmt.Sprintf("k m%d", i))
			took := time.Since(start).Seconds() / 0.1
			if took < 1 {
				below++
			}
			if took > 1/1.5 && took < 1.5 {
				within++
			}
		}
		if below < n*45/100 || below > n*55/100 || within < n*63/100 || within > n*73/100 {
			t.Errorf("of %d answers %d below the median, %d within the spread; want about 500, 680", n, below, within)
		}
	})
}

// Whatever is sent to whatever path gets an answer, in JSON from Salesforce's
// paths, and no panic but the one that cuts a connection.
func FuzzRequest(f *testing.F) {
	f.Add("POST", wrapperPath+"createBulkTranscriptMessages", "application/json", bulkBody("k m1 m2", "l m1"))
	f.Add("POST", wrapperPath+"createBulkTranscriptMessages", "application/json", `{`+names+`,"entries":[null,{"messages":[null]},{"messages":[{}]}]}`)
	f.Add("POST", wrapperPath+"createTranscriptMessage", "application/json;charset=utf-8", single("k", "m1"))
	f.Add("POST", wrapperPath+"createVoiceCall", "application/json", createBody("k", `,"parentVoiceCallId":"j"`))
	f.Add("POST", wrapperPath+"updateVoiceCall", "application/json", `{`+names+`,"voiceCallId":"k","endTime":""}`)
	f.Add("POST", wrapperPath+"executeOmniFlow", "application/json", `{`+names+`,"voiceCallId":"k","dialedNumber":"1","flowInputParameters":{}}`)
	f.Add("PUT", wrapperPath+"clearRouting", "", `[]`)
	f.Add("POST", "/services/oauth2/token", "application/x-www-form-urlencoded", "grant_type=client_credentials&client_id=%")
	f.Add("POST", "/orgsim/plan", "", "slow:2ns")
	f.Fuzz(func(t *testing.T, method, path, contentType, body string) {
		seed := rand.Uint64()
		c := newClient(t, orgsim.Config{
			MakeCalls: seed%2 == 0, Duplicates: orgsim.DuplicatePolicy(seed % 3), Refusal: orgsim.RefusalStyle(seed / 3 % 3),
			OneSpeaker: seed%5 == 0, Seed: seed, Faults: orgsim.Rates{{Fault: orgsim.Fault{Kind: orgsim.Exhausted}, Share: 0.5}},
		})
		r := c.request("", body)
		r.Method, r.URL.Path = method, path
		r.Header.Set("Content-Type", contentType)
		if path == "/orgsim/feed" {
			return // it ends with its client
		}
		got := serve(c.org, r)
		if got.cut || got.status < 200 {
			t.Fatalf("seed %d: got %v, want an answer", seed, got)
		}
		if strings.HasPrefix(path, "/services/") && !json.Valid([]byte(got.body)) {
			t.Fatalf("seed %d: got %v, want JSON", seed, got)
		}
		led := c.org.Ledger()
		if cmp := led.Compare(nil); cmp.Duplicated > 0 && orgsim.DuplicatePolicy(seed%3) != orgsim.StoreTwice {
			t.Fatalf("seed %d: %+v", seed, cmp)
		}
	})
}

// go test -run '^$' -bench . -count 6 ./sfclient/orgsim
func BenchmarkBulk(b *testing.B) {
	c := newClient(b, orgsim.Config{MakeCalls: true, IDsOnly: true, DailyLimit: 1 << 40, LimitInfo: true})
	template := bulkBody("a ID", "b ID", "c ID", "d ID", "e ID")
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		n++
		c.post("createBulkTranscriptMessages", strings.ReplaceAll(template, `"ID"`, fmt.Sprintf(`"%d"`, n)))
	}
	if led := c.org.Ledger(); led.Stored != uint64(5*n) {
		b.Fatalf("stored %d, want %d", led.Stored, 5*n)
	}
}
