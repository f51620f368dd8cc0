package sfclient

import (
	"testing"
	"time"
)

func TestParseLimitInfo(t *testing.T) {
	at := time.Unix(1, 0)
	f := func(header string, used, most int64) {
		t.Helper()
		want := LimitInfo{Used: used, Max: most, At: at}
		if most == 0 {
			want = LimitInfo{}
		}
		if got, ok := parseLimitInfo(header, at); got != want || ok != (most != 0) {
			t.Errorf("parseLimitInfo(%q) = %+v, %t; want %+v", header, got, ok, want)
		}
	}
	f("api-usage=10018/100000", 10018, 100000)
	f("api-usage=10018/100000; api-bursts=1/750", 10018, 100000)
	f("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)", 25, 5000)
	f("per-app-api-usage=17/250(appName=x); API-Usage = 25 / 5000", 25, 5000)
	f("api-bursts=1/750,api-usage=0/1", 0, 1)
	f("api-usage=100001/100000", 100001, 100000)
	f("per-app-api-usage=17/250(appName=x)", 0, 0)
	f("", 0, 0)
	f("api-usage", 0, 0)
	f("api-usage=1", 0, 0)
	f("api-usage=-1/5", 0, 0)
	f("api-usage=1/0", 0, 0)
	f("api-usage=1/99999999999999999999", 0, 0)
}

// FuzzLimitInfo holds that what is parsed makes sense.
func FuzzLimitInfo(f *testing.F) {
	f.Add("api-usage=10018/100000; api-bursts=1/750")
	f.Add("per-app-api-usage=17/250(appName=x;api-usage=1/2)")
	f.Fuzz(func(t *testing.T, header string) {
		got, ok := parseLimitInfo(header, time.Unix(1, 0))
		if ok && (got.Used < 0 || got.Max <= 0 || got.At.IsZero()) || !ok && got != (LimitInfo{}) {
			t.Errorf("parseLimitInfo(%q) = %+v, %t", header, got, ok)
		}
	})
}

// Answers overtake each other: an older one never replaces a newer one.
func TestLimitBoxKeepsTheNewest(t *testing.T) {
	var b limitBox
	if got, ok := b.newest(); ok {
		t.Errorf("newest of none = %+v", got)
	}
	for _, second := range []int64{5, 3, 9, 0, 7} {
		b.put(LimitInfo{Used: second, Max: 10, At: time.Unix(second, 0)})
	}
	b.put(LimitInfo{}) // An answer without the header.
	if got, ok := b.newest(); !ok || got.Used != 9 {
		t.Errorf("newest = %+v, %t; want the one of second 9", got, ok)
	}
}
