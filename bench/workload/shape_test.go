package workload_test

import (
	"math"
	"reflect"
	"testing"
	"time"

	"example.com/steno/bench/workload"
)

func TestStats(t *testing.T) {
	s := time.Second
	calls := []workload.Call{
		{ID: "a", Utterances: []workload.Utterance{
			{Seq: 1, Role: workload.Agent, Start: 0, End: 4 * s, Text: "1234"},
			{Seq: 2, Role: workload.Caller, Start: 1 * s, End: 2 * s, Text: "[inaudible]"},           // inside seq 1
			{Seq: 3, Role: workload.Agent, Start: 4 * s, End: 5 * s, Text: "é"},                      // begins when seq 1 ends
			{Seq: 4, Role: workload.Caller, Start: 5 * s, End: 5*s + s/5, Text: "Well, [inaudible]"}, // begins when seq 3 ends
			{Seq: 5, Role: workload.Caller, Start: 6 * s, End: 10 * s, Text: "12"},
		}},
		{ID: "b", Utterances: []workload.Utterance{{Seq: 1, Role: workload.Caller, Start: 0, End: 30 * s, Text: "123456"}}},
	}
	got := workload.Stats(calls)
	f := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	f("calls", float64(got.Calls), 2)
	f("utterances", float64(got.Utterances), 6)
	f("seconds recorded", got.Recorded.Seconds(), 40)
	f("utterances a second", got.PerSecond, 6.0/40)
	f("rate, mean over calls", got.Rate.Mean, (5.0/10+1.0/30)/2)
	f("rate, least", got.Rate.Min, 1.0/30)
	f("rate, most", got.Rate.Max, 0.5)
	f("length, mean", got.Length.Mean, 20)
	// The ends of call a are 2, 4, 5, 5.2 and 10; call b has no gap.
	f("gap, mean", got.Gap.Mean, 8.0/4)
	f("gap, least", got.Gap.Min, 0.2)
	f("gap, median", got.Gap.P50, 1)
	f("gap, most", got.Gap.Max, 4.8)
	f("gaps up to 200 ms", got.Within200ms, 1.0/4)
	f("gaps up to 1 s", got.Within1s, 2.0/4)
	f("bytes, most", got.Bytes.Max, 17)
	f("bytes, least", got.Bytes.Min, 2)
	f("overlapping", got.Overlapping, 2.0/6)
	f("inaudible", got.Inaudible, 1.0/6)
}

func TestSpreadOfManyUtterances(t *testing.T) {
	var c workload.Call
	for i := range 101 { // texts of 100, 99 … 0 bytes, each ending a second after the one before
		end := time.Duration(i+1) * time.Second
		c.Utterances = append(c.Utterances, workload.Utterance{
			Seq: i + 1, Role: workload.Agent, Start: end - 1, End: end, Text: string(make([]byte, 100-i)),
		})
	}
	got := workload.Stats([]workload.Call{c})
	want := workload.Spread{Mean: 50, Min: 0, P5: 5, P50: 50, P95: 95, P99: 99, Max: 100}
	if got.Bytes != want {
		t.Errorf("bytes spread over %+v, want %+v", got.Bytes, want)
	}
	if got.Gap.Min != 1 || got.Gap.Max != 1 {
		t.Errorf("gaps spread over %+v, want all of them 1 s", got.Gap)
	}
}

// Nothing divides by zero.
func TestStatsOfNothing(t *testing.T) {
	if got := workload.Stats(nil); !reflect.DeepEqual(got, workload.Shape{}) {
		t.Errorf("Stats of no call = %+v, want all zero", got)
	}
	if got := workload.Stats([]workload.Call{{ID: "silent"}}); !reflect.DeepEqual(got, workload.Shape{Calls: 1}) {
		t.Errorf("Stats of a call without utterances = %+v, want one call and all else zero", got)
	}
}

func TestRoleString(t *testing.T) {
	f := func(r workload.Role, want string) {
		t.Helper()
		if got := r.String(); got != want {
			t.Errorf("Role %d is called %q, want %q", int(r), got, want)
		}
	}
	f(workload.Agent, "agent")
	f(workload.Caller, "caller")
	f(0, "Role(0)")
}
