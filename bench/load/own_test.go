package load

import "testing"

func TestOwnWord(t *testing.T) {
	f := func(metrics map[string]float64, want string) {
		t.Helper()
		if got := (&Report{Runtime: metrics}).own(); got != want {
			t.Errorf("%v\nsays %q\nwant %q", metrics, got, want)
		}
	}
	of := func(counts ...float64) map[string]float64 {
		m := map[string]float64{ownAdded + "_sum": 7, ownAdded + "_count": counts[len(counts)-1]}
		for i, le := range []string{"0.005", "0.01", "0.04", "+Inf"} {
			m[ownAdded+`_bucket{le="`+le+`"}`] = counts[i]
		}
		return m
	}
	f(nil, "")
	f(of(0, 0, 0, 0), "")
	f(of(10, 60, 99, 100), "p50 between 5 and 10 ms, p99 between 10 and 40 ms")
	f(of(50, 60, 98, 100), "p50 between 0 and 5 ms, p99 between 40 and +Inf ms")
}
