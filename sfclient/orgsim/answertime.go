package orgsim

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// AnswerTime is a log-normal distribution of answer times, which is what
// servers' answer times look like: many near the median, a long tail above.
// It reads and prints itself as text: "100ms", "100ms±50%".
type AnswerTime struct {
	Median time.Duration
	Spread float64 // two of three answers take between Median/(1+Spread) and Median×(1+Spread); 0: all take Median
}

// draw is one answer time, at most two minutes.
func (a AnswerTime) draw(random *rand.Rand) time.Duration {
	if a.Median <= 0 || a.Spread <= 0 {
		return min(max(a.Median, 0), maxAnswer)
	}
	t := float64(a.Median) * math.Exp(random.NormFloat64()*math.Log1p(a.Spread))
	return time.Duration(min(t, float64(maxAnswer)))
}

// String is the form that UnmarshalText reads.
func (a AnswerTime) String() string {
	if a.Spread <= 0 {
		return a.Median.String()
	}
	return fmt.Sprintf("%v±%v%%", a.Median, a.Spread*100)
}

// UnmarshalText reads a duration, or a duration and its spread: "100ms±50%".
// "+-" may stand for ±.
func (a *AnswerTime) UnmarshalText(text []byte) error {
	bad := func(why string) error {
		return fmt.Errorf("answer time %q: %s; want a duration like 100ms, or 100ms±50%%", text, why)
	}
	median, spread, spreads := strings.Cut(strings.Replace(string(text), "+-", "±", 1), "±")
	d, err := time.ParseDuration(strings.TrimSpace(median))
	if err != nil || d < 0 || d > maxAnswer {
		return bad("the median must be a duration between 0s and 2m")
	}
	percent := 0.0
	if spreads {
		percent, err = strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(spread), "%"), 64)
		if err != nil || !(percent >= 0 && percent <= 1000) {
			return bad("the spread must be a number of per cent between 0 and 1000")
		}
	}
	*a = AnswerTime{Median: d, Spread: percent / 100}
	return nil
}
